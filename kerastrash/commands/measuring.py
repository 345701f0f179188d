"""`score`, `benchmark` and `compare`: how good and how fast nets are, beside each other."""

from dataclasses import replace

from kerastrash.commands.shipping import of_run
from kerastrash.console import results, written
from kerastrash.data.config import data_of_run
from kerastrash.errors import ConfigError
from kerastrash.files import write_csv, write_json
from kerastrash.reports.benchmark import benchmark_tables, draw_latency
from kerastrash.reports.comparison import comparison_tables, write_comparison
from kerastrash.reports.score import score_tables
from kerastrash.runs import environment, model_in
from kerastrash.scoring.benchmark import benchmark_columns, run_benchmark
from kerastrash.scoring.config import BenchmarkConfig, ScoreConfig
from kerastrash.scoring.report import score_model
from kerastrash.settings import to_dict
from tuners.comparison.compare import compare
from tuners.comparison.config import CompareConfig


def score_file(config: ScoreConfig) -> None:
    """Scores a saved model: macro F1, two clocks at batch 1 beside a baseline net, and the contest's score."""
    report = score_model(of_run(config))
    results().print(*score_tables(report), sep="\n")
    if config.output:
        write_json(config.output, report.settings())


def benchmark_files(config: BenchmarkConfig) -> int:
    """Times model files in turns, each in a process of its own; 1 where one of them failed."""
    surroundings = environment()
    config = _of_runs(config)
    found = run_benchmark(config)
    rows = [row.settings() for row in found.rows]
    report = {"settings": to_dict(config), "environment": surroundings, **vars(found), "rows": rows}
    write_json(config.folder / "benchmark.json", report)
    write_csv(config.folder / "benchmark.csv", rows, benchmark_columns(config.batches))
    drawn = draw_latency(found.rows, config.folder / "benchmark.png")
    results().print(*benchmark_tables(found), sep="\n")
    names = "benchmark.csv, benchmark.json" + (" and benchmark.png" if drawn else "; no row for a picture")
    written(config.folder, f": {names}")
    return int(any(row.reason for row in found.rows))


def _of_runs(config: BenchmarkConfig) -> BenchmarkConfig:
    """The settings with the models of the runs that they name, and with the runs' data where they name none.

    Raises:
        ConfigError: the models' runs are of different data.
    """
    models = tuple(model_in(path) for path in config.models)
    first, *others = (data_of_run(model, config.data) for model in models)
    for model, data in zip(models[1:], others, strict=True):
        if data != first:
            raise ConfigError(f"{models[0]} and {model} were trained on different data or splits; name one with --data")
    return replace(config, models=models, data=first)


def compare_systems(config: CompareConfig) -> int:
    """Trains every system of a file, scores and times all; 1 where one of them failed."""
    found = compare(config)
    names = [] if config.train_only else write_comparison(found)
    results().print(*comparison_tables(found), sep="\n")
    if names:
        written(found.folder, f": {', '.join(names)}")
    return int(found.failed)
