"""The commands on trained models: `export`, `quantise`, `prune`, `adjust`, `score`, `benchmark` and `compare`."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from kerastrash.commands.settings import AdjustConfig, PruneConfig, QuantiseConfig
from kerastrash.compress.prune import prune
from kerastrash.compress.quantise import quantise
from kerastrash.console import results, written
from kerastrash.data.config import data_of_run
from kerastrash.errors import ConfigError
from kerastrash.export.agreement import ExportReport
from kerastrash.export.export import export_formats, exported_name
from kerastrash.export.formats import ExportConfig
from kerastrash.files import sha256, write_csv, write_json
from kerastrash.reports.comparison import comparison_tables, write_comparison
from kerastrash.reports.models import draw_widths, export_tables, prune_table, quantisation_table
from kerastrash.reports.scoring import (
    adjustment_json,
    adjustment_table,
    benchmark_tables,
    draw_adjustment,
    draw_latency,
    score_tables,
)
from kerastrash.runs import MODEL, environment, model_in, open_run, run_folder
from kerastrash.scoring.benchmark import benchmark_columns, run_benchmark
from kerastrash.scoring.config import BenchmarkConfig, ScoreConfig
from kerastrash.scoring.evaluate import adjust
from kerastrash.scoring.report import score_model
from kerastrash.settings import to_dict
from tuners.compare import compare
from tuners.config import CompareConfig

OfOneModel = TypeVar("OfOneModel", bound=ExportConfig | QuantiseConfig | PruneConfig | AdjustConfig | ScoreConfig)


def of_run(config: OfOneModel) -> OfOneModel:
    """The settings with the model of the run that they name, and with the run's data where they name none."""
    model = model_in(config.model)
    return replace(config, model=model, data=data_of_run(model, config.data))


def run_of_its_own(verb: str, config: PruneConfig | AdjustConfig) -> AbstractContextManager[Path]:
    """The run of a command on a model; without a name, called as both."""
    usual = f"{verb}-{config.model.resolve().parent.name}"
    return open_run(run_folder(config, usual), config)


def export_model(config: ExportConfig) -> int:
    """Exports a saved model and checks every file in its own runtime; 1 where a format failed."""
    config = of_run(config)
    attempts = export_formats(config)
    results().print(*export_tables(attempts, str(config.model)), sep="\n")
    return 0 if all(isinstance(attempt.outcome, ExportReport) for attempt in attempts) else 1


def quantise_model(config: QuantiseConfig) -> None:
    """Quantises a trained model to int8; refuses the file where it loses more macro F1 than allowed."""
    config = of_run(config)
    usual = config.model.parent / "exports" / exported_name(config.model.stem, config.runtime, "int8")
    output = config.output or usual
    report = quantise(config.model, config.runtime, output, config.data, config.quantise)
    results().print(quantisation_table(report))
    written(output, f" and {output.name}.json are written")


def prune_model(config: PruneConfig) -> None:
    """Prunes a trained model by whole channels in its run, fine-tuning as it goes."""
    config = of_run(config)
    with run_of_its_own("prune", config) as folder:
        report = prune(config.model, config.data, config.recipe, config.prune, folder)
        draw_widths(report.widths, folder / "widths.png")
    results().print(prune_table(report))
    written(report.model, ", prune.json and widths.png beside it are written")


def adjust_model(config: AdjustConfig) -> None:
    """Adjusts a trained classifier to its classes' frequencies by macro F1 on the validation split."""
    config = of_run(config)
    with run_of_its_own("adjust", config) as folder:
        model = folder / MODEL
        adjustment = adjust(config.model, config.data, model)
        origin = {"source": str(config.model), "source_sha256": sha256(config.model)}
        write_json(folder / "adjust.json", adjustment_json(adjustment, **origin))
        draw_adjustment(adjustment, folder / "adjustment.png")
    results().print(adjustment_table(adjustment, f"{config.model}: {config.data.data}"))
    written(model, ", adjust.json and adjustment.png beside it are written")


def score_file(config: ScoreConfig) -> None:
    """Scores a saved model: macro F1, two clocks at batch 1 beside a baseline net, and the contest's score."""
    report = score_model(of_run(config))
    results().print(*score_tables(report), sep="\n")
    if config.output:
        write_json(config.output, report.settings())


def benchmark_files(config: BenchmarkConfig) -> int:
    """Times model files in turns, each in a process of its own; 1 where one of them failed.

    Raises:
        ConfigError: no data is named, and the models' runs are of different data.
    """
    surroundings = environment()
    models = tuple(model_in(path) for path in config.models)
    first, *others = (data_of_run(model, config.data) for model in models)
    for model, data in zip(models[1:], others, strict=True):
        if data != first:
            raise ConfigError(f"{models[0]} and {model} were trained on different data or splits; name one with --data")
    config = replace(config, models=models, data=first)
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


def compare_systems(config: CompareConfig) -> int:
    """Trains every system of a file, scores and times all; 1 where one of them failed."""
    found = compare(config)
    names = [] if config.train_only else write_comparison(found)
    results().print(*comparison_tables(found), sep="\n")
    if names:
        written(found.folder, f": {', '.join(names)}")
    return int(found.failed)
