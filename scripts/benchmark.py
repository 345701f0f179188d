"""Times model files of any format in turns: latency, throughput, size, memory, macro F1, score beside a baseline.

python scripts/benchmark.py runs/NAME/best.keras --formats all --threads 1 2 --data annotations.json
python scripts/benchmark.py a.onnx b.tflite b.xml --data annotations.json
"""

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.cli import run, settings
from kerastrash.console import results
from kerastrash.files import write_csv, write_json
from kerastrash.reports.benchmark import benchmark_tables, draw_latency
from kerastrash.runs import environment
from kerastrash.scoring.benchmark import benchmark_columns, run_benchmark
from kerastrash.scoring.config import BenchmarkConfig


def main(config: BenchmarkConfig) -> int:
    """Time MODEL... in turns, each in a process of its own; exit status 1 where one of them failed."""
    surroundings = environment()
    found = run_benchmark(config)
    rows = [row.settings() for row in found.rows]
    report = {"settings": settings(config), "environment": surroundings, **vars(found), "rows": rows}
    write_json(config.folder / "benchmark.json", report)
    write_csv(config.folder / "benchmark.csv", rows, benchmark_columns(config.batches))
    drawn = draw_latency(found.rows, config.folder / "benchmark.png")
    console = results()
    console.print(*benchmark_tables(found), sep="\n")
    names = "benchmark.csv, benchmark.json" + (" and benchmark.png" if drawn else "; no row for a picture")
    console.print(f"[bold]{config.folder}[/]: {names}", soft_wrap=True)
    return int(any(row.reason for row in found.rows))


if __name__ == "__main__":
    run(main)
