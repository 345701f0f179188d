"""Compares nets and methods on one data set: F1, time and score of each, over several seeds, in one run.

python scripts/compare.py data/systems/smoke.yaml
python scripts/compare.py SYSTEMS.yaml --data DIR --train-only
"""

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.cli import run
from kerastrash.console import results
from kerastrash.reports.comparison import comparison_tables, write_comparison
from tuners.comparison.compare import compare
from tuners.comparison.config import CompareConfig


def main(config: CompareConfig) -> int:
    """Train every system of SYSTEMS.yaml, score and time all; the same command goes on where it stopped. Exit status 1
    where one of them failed."""
    found = compare(config)
    names = [] if config.train_only else write_comparison(found)
    console = results()
    console.print(*comparison_tables(found), sep="\n")
    if names:
        console.print(f"[bold]{found.folder}[/]: {', '.join(names)}", soft_wrap=True)
    return int(found.failed)


if __name__ == "__main__":
    run(main)
