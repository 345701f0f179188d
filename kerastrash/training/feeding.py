"""How the crops reach the net: from disk through threads, or from the device on which the whole set lies."""

import os

from kerastrash.backends import free_accelerator_memory
from kerastrash.console import console
from kerastrash.data.batches import CropBatches
from kerastrash.data.dataset import Dataset, Part
from kerastrash.data.device_batches import DeviceBatches
from kerastrash.errors import ConfigError
from kerastrash.training.recipe import Recipe
from kerastrash.training.supervision import Supervision

MOST_WORKERS = 8
"""Without a number in the recipe: one a core, but no more than these."""
HEADROOM = 4
"""A set is laid on the device where so many times its size is free: twice while it is sent, the rest to train."""


def training_batches(dataset: Dataset, recipe: Recipe, supervision: Supervision | None = None) -> CropBatches:
    """Augmented batches of the training split by the recipe; an incomplete last batch is left out of the epoch.

    Labels are joined by the targets of the supervision. Says on the console where the crops are fed from.

    Raises:
        ConfigError: the recipe wants the set on a device, and it does not fit there or there is none.
    """
    part = dataset.part("train")
    kind = DeviceBatches if on_device(part, recipe.feeding) else CropBatches
    workers = min(MOST_WORKERS, os.cpu_count() or 1) if recipe.workers is None else recipe.workers
    place = "the device" if kind is DeviceBatches else f"disk, {workers} workers"
    console.print(f"feeding: {len(part)} crops of {dataset.input_size} px from {place}", highlight=False)
    batches = kind(
        part.images,
        part.indices,
        part.labels,
        min(recipe.batch_size, len(part)),
        recipe.augmentation(),
        recipe.mixing(),
        len(dataset.classes) if recipe.mixing() else None,
        recipe.seed,
        sampler=recipe.sampler,
        drop_remainder=True,
        workers=workers,
        targets=supervision.targets if supervision else None,
        draws=supervision.draws if supervision else None,
    )
    if supervision and batches.epoch.targets.shape[1] + 1 == len(dataset.classes):
        raise ValueError(f"labels joined by {len(dataset.classes) - 1} targets look like one share a class")
    return batches


def evaluation_batches(dataset: Dataset, name: str, recipe: Recipe) -> CropBatches:
    """All images of a split in order, as they are; labels of the kind that the recipe's loss takes."""
    part = dataset.part(name)
    classes = len(dataset.classes) if recipe.mixing() else None
    return CropBatches(part.images, part.indices, part.labels, recipe.batch_size, classes=classes, workers=1)


def on_device(part: Part, feeding: str) -> bool:
    """Whether the crops of the part are to lie on the device: `disk`, `device`, or `auto` where they fit."""
    if feeding == "disk":
        return False
    if feeding == "auto":
        return HEADROOM * part.nbytes <= free_accelerator_memory()
    free = free_accelerator_memory()
    if free and HEADROOM * part.nbytes > free:
        raise ConfigError(
            f"feeding=device: {len(part)} crops take {part.nbytes / 1e9:.1f} GB and {HEADROOM} times that to train, "
            f"{free / 1e9:.1f} GB are free on the device; use feeding=disk or a smaller input size"
        )
    return True
