"""Finds, trains and scores a classifier; without options on the sample, with `--data` on your own.

python scripts/tune.py --data annotations.json --images photographs
python scripts/tune.py --data DIR --max_params 300000 --retrain_epochs 100
"""

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.cli import run
from kerastrash.console import results
from kerastrash.reports.score import score_tables
from kerastrash.reports.trials import trials_table
from tuners.config import TuneConfig
from tuners.tune import tune


def main(config: TuneConfig) -> None:
    """Search, train and score a trash classifier; results go to runs/NAME."""
    tuned = tune(config)
    console = results()
    console.print(trials_table([trial.row() for trial in tuned.trials], tuned.best.name))
    console.print(*score_tables(tuned.score), sep="\n")
    console.print(
        f"[bold]{tuned.model}[/] is the classifier; [bold]{tuned.folder}/report.md[/] explains it", soft_wrap=True
    )


if __name__ == "__main__":
    run(main)
