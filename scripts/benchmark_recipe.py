"""The first team's full recipe on synthetic crops of the contest's size: images a second, and the hours of all epochs.

python scripts/benchmark_recipe.py --until 2         # two epochs, all of them projected; without --until, all are run
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.backends import device_description
from kerastrash.cli import part_of, run
from kerastrash.console import console, results
from kerastrash.data.synthetic import synthetic_dataset
from kerastrash.files import read_csv
from kerastrash.models import build_model
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class RecipeBenchmark(Recipe):
    """The recipe of row 5 of the published table, and the size of its data."""

    net: str = "mobilenetv3_79"
    """Preset, or a .yaml file of rows."""
    input_size: int = 156
    """Side of the crops in pixels."""
    training_crops: int = 18766
    """Crops to train on: nine tenths of the contest's 20,851."""
    validation_crops: int = 2085
    """Crops to validate on after each epoch."""
    until: int | None = None
    """Stop after so many epochs of the schedule and project the rest; left out, all are run."""


def main(config: RecipeBenchmark) -> None:
    """Train the contest's winning net by its full recipe on synthetic crops, and say how long that takes."""
    console.print(f"making {config.training_crops + config.validation_crops:,} crops of {config.input_size} px")
    dataset = synthetic_dataset(config.training_crops, config.validation_crops, config.input_size)
    size = (config.input_size, len(dataset.classes))
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as name:
        folder = Path(name)
        train(lambda: build_model(config.net, *size), dataset, part_of(Recipe, config), folder, config.until)
        rows = read_csv(folder / "metrics.csv")
    rates, seconds = ([float(row[name]) for row in rows] for name in ("images_per_second", "seconds"))
    later = slice(1, None) if len(rows) > 1 else slice(None)  # the first epoch also warms up
    hours = (seconds[0] + median(seconds[later]) * (config.epochs - 1)) / 3600
    whole = "taken" if len(rows) == config.epochs else "projected"
    results().print(
        f"{config.net}, {config.input_size} px, batch {config.batch_size}, {config.dtype_policy}, "
        f"{device_description()}: {median(rates[later]):.0f} images/s in training; {len(rows)} epochs in "
        f"{sum(seconds) / 60:.1f} minutes, {config.epochs} epochs ({whole}, validation and saving included): "
        f"{hours:.2f} hours",
        soft_wrap=True,
    )


if __name__ == "__main__":
    run(main)
