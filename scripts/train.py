"""Trains one net by the contest's recipe and scores it on the test split.

python scripts/train.py --net mobilenetv3_79 --input_size 156 --data annotations.json
"""

from dataclasses import dataclass
from pathlib import Path

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.cli import part_of, run
from kerastrash.console import results
from kerastrash.data import DataConfig, prepare, print_summary
from kerastrash.models import build_model
from kerastrash.models.saved import open_model
from kerastrash.runs import FREE_SETTINGS, open_run
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Recipe, DataConfig):
    """One net, one recipe, one data set."""

    net: str = "mobilenetv3_79"
    """Preset, or a .yaml file of rows."""
    input_size: int = 156
    """Side of the net's square input in pixels."""
    width: float = 1.0
    """Width multiplier."""
    depth: float = 1.0
    """Depth multiplier."""
    name: str | None = None
    """Name of the run's folder; left out, that of the net."""
    runs: Path = Path("runs")
    """Folder of all runs."""


def main(config: TrainConfig) -> None:
    """Train a net by the contest's recipe; the same command after a kill goes on from the last epoch."""
    folder = config.runs / (config.name or f"train-{Path(config.net).stem}")
    with open_run(folder, config, free=FREE_SETTINGS):
        dataset = prepare(part_of(DataConfig, config), config.input_size)
        print_summary(dataset)
        size = (config.input_size, len(dataset.classes), config.width, config.depth)
        training = train(lambda: build_model(config.net, *size), dataset, part_of(Recipe, config), folder)
        test = evaluate(open_model(training.model), dataset.part("test"))
    results().print(
        f"[bold]{training.model}[/]: macro F1 {training.f1:.4f} on the validation split "
        f"(epoch {training.best_epoch} of {training.epochs}), {test.macro_f1:.4f} on the test split",
        soft_wrap=True,
    )


if __name__ == "__main__":
    run(main)
