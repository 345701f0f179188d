"""Draws the fourteen operations of augmentation in both forms on crops of a data set: docs/augmentation.png.

python scripts/draw_augmentation.py --data trashnet --output docs/augmentation.png
"""

import kerastrash.default_backend  # noqa: F401, I001  before Keras is imported

from dataclasses import dataclass
from pathlib import Path

from kerastrash.cli import run
from kerastrash.console import console
from kerastrash.data import DataConfig, open_source, read_crop
from kerastrash.reports.sheets import draw_operations


@dataclass(frozen=True)
class PictureConfig(DataConfig):
    """Draw every operation of augmentation, by Pillow and on the device, on one crop of each class."""

    output: Path = Path("augmentation.png")
    """Where the picture goes."""
    size: int = 88
    """Side of a crop, in pixels."""


def main(config: PictureConfig) -> None:
    """Takes the crop in the middle of each class and draws the picture."""
    source = open_source(config)
    members = [[crop for crop in source.crops if crop.label == label] for label in range(len(source.classes))]
    draw_operations([read_crop(crops[len(crops) // 2], config.size) for crops in members if crops], config.output)
    console.print(f"drawn: {config.output}")


if __name__ == "__main__":
    run(main)
