"""Images a second of augmentation in its two forms: Pillow on one thread, and whole batches on the backend's device.

python scripts/benchmarks/augmentation.py --data DIR --input-size 156 --batch-size 256
python scripts/benchmarks/augmentation.py --data DIR --input-size 88 --picture docs/augmentation.png

A batch counts from the indices of crops that lie on the device to the augmented tensor, the host's draws included.
"""

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

from kerastrash.augment.augmentation import Augmentation
from kerastrash.backends import device_description, free_accelerator_memory
from kerastrash.cli import script
from kerastrash.console import results, written
from kerastrash.data import DataConfig, open_source, prepare, read_crop
from kerastrash.data.dataset import SplitData
from kerastrash.reports.sheets import draw_operations
from kerastrash.training.batches import CropBatches
from kerastrash.training.feeding import DeviceBatches


@dataclass(frozen=True, kw_only=True)
class AugmentationBenchmark:
    """Time the two forms of augmentation, in turns; or draw what they do."""

    input_size: int = 156
    """Side of the crops in pixels."""
    batch_size: int = 256
    """Images a batch."""
    batches: int = 20
    """Batches a turn."""
    turns: int = 5
    """Turns of each form, one after the other."""
    n_select: int = 2
    """RandAugment operations of each image."""
    picture: Path | None = None
    """In place of the times: draw every operation in both forms on one crop of each class, a .png file."""
    data: DataConfig = field(default_factory=DataConfig)
    """Which data."""


def main(config: AugmentationBenchmark) -> None:
    """Time the two forms of augmentation, in turns; or draw what they do."""
    if config.picture:
        draw(config)
        return
    part = prepare(config.data, config.input_size).split("train")
    augmentation = Augmentation(n_select=config.n_select)
    forms = {
        "Pillow, one thread": _form(CropBatches, part, augmentation, config),
        f"on the device ({keras.backend.backend()}, {device_description()})": _form(
            DeviceBatches, part, augmentation, config
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(config.turns):
        for name, rate in forms.items():
            rates[name].append(rate())
    for name, measured in rates.items():
        results().print(f"{median(measured):>9,.0f} images/s  {name}", highlight=False)
    if not free_accelerator_memory():
        results().print("the device is the processor: no figure of a GPU", highlight=False)


def draw(config: AugmentationBenchmark) -> None:
    """Draws the operations on the crop in the middle of each class."""
    source = open_source(config.data)
    members = [[crop for crop in source.crops if crop.label == label] for label in range(len(source.classes))]
    crops = [read_crop(crops[len(crops) // 2], config.input_size) for crops in members if crops]
    draw_operations(crops, config.picture)
    written(config.picture, " is drawn")


def _form(
    kind: type[CropBatches], part: SplitData, augmentation: Augmentation, config: AugmentationBenchmark
) -> Callable[[], float]:
    """A function that makes some batches, of an epoch of their own, and returns images a second."""
    data = kind(part.images, part.indices, part.labels, config.batch_size, augmentation, sampler="shuffle")
    epochs = itertools.count()

    def rate() -> float:
        started, seen = time.perf_counter(), 0
        for made in range(config.batches):
            if made % len(data) == 0:
                data.set_epoch(next(epochs))
            images = data[made % len(data)][0]
            seen += len(images)
        keras.ops.convert_to_numpy(images[0, 0, 0])  # what is still under way on the device has then come to its end
        return seen / (time.perf_counter() - started)

    rate()  # what is done once
    return rate


if __name__ == "__main__":
    script(main)
