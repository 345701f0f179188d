"""The way of crops to the net: from disk through threads, or from the device on which the whole set lies."""

import os
from typing import Any

import numpy as np
from keras import ops

from kerastrash.augment.device import augment_batch, mix_batch
from kerastrash.backends import free_accelerator_memory
from kerastrash.console import say
from kerastrash.data.records import Dataset, SplitData
from kerastrash.errors import ConfigError
from kerastrash.training.batches import CropBatches, Epoch
from kerastrash.training.losses import Supervision
from kerastrash.training.recipe import Recipe

AT_ONCE = 2**26
"""Bytes of pixels augmented in one go, several batches where they are small: telling the device what to do takes the
host several milliseconds, however many images there are."""
CHUNK = 2**28
"""Bytes sent to the device at a time, which bounds the memory of the host."""


class DeviceBatches(CropBatches):
    """`CropBatches` whose images are tensors, float32 where they are augmented or mixed and uint8 otherwise.

    Takes the same arguments, of which `workers` is not needed; order, draws and labels are the same. The crops of
    `indices` are sent to the device once, when it is made. Augmentation is `device.augment_batch`, which agrees with
    Pillow's within the tolerances stated there.
    """

    _mix_images = staticmethod(mix_batch)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"workers": 0})
        image_bytes = self.images[0].nbytes
        rows = max(1, CHUNK // image_bytes)
        chunks = [self.indices[start : start + rows] for start in range(0, len(self.indices), rows)]
        parts = [ops.convert_to_tensor(self._reader.rows(chunk)) for chunk in chunks]
        self._resident = ops.concatenate(parts) if len(parts) > 1 else parts[0]
        self._together = max(1, AT_ONCE // (self.batch_size * image_bytes))
        self._made: tuple[tuple[int, int], Any] = ((-1, -1), None)

    def _augmented(self, number: int, epoch: Epoch) -> Any:
        if epoch.draws is None:
            return self._drawn(self._chosen(number, epoch))
        first = number - number % self._together
        if self._made[0] != (epoch.number, first):
            chosen = self._chosen(first, epoch, self._together)
            draws = epoch.draws[self.indices[chosen]]
            augmented = augment_batch(self._drawn(chosen), draws, self.augmentation.cutout)
            self._made = ((epoch.number, first), augmented)
        start = (number - first) * self.batch_size
        return self._made[1][start : start + self.batch_size]

    def _drawn(self, chosen: np.ndarray) -> Any:
        return ops.take(self._resident, ops.convert_to_tensor(chosen, dtype="int32"), axis=0)


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
    part = dataset.split("train")
    kind = DeviceBatches if on_device(part, recipe.feeding) else CropBatches
    workers = min(MOST_WORKERS, os.cpu_count() or 1) if recipe.workers is None else recipe.workers
    origin = "the device" if kind is DeviceBatches else f"disk, {workers} workers"
    say(f"feeding: {len(part)} crops of {dataset.input_size} px from {origin}")
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
        supervision=supervision,
    )
    if supervision and batches.epoch.targets.shape[1] + 1 == len(dataset.classes):
        raise ValueError(f"labels joined by {len(dataset.classes) - 1} targets look like one share a class")
    return batches


def evaluation_batches(dataset: Dataset, name: str, recipe: Recipe) -> CropBatches:
    """All images of a split in order, as they are; labels of the kind that the recipe's loss takes."""
    part = dataset.split(name)
    classes = len(dataset.classes) if recipe.mixing() else None
    return CropBatches(part.images, part.indices, part.labels, recipe.batch_size, classes=classes, workers=1)


def on_device(part: SplitData, feeding: str) -> bool:
    """Whether the crops of the part are to lie on the device: `disk`, `device`, or `auto` where they fit."""
    if feeding == "disk":
        return False
    free = free_accelerator_memory()
    if feeding == "auto":
        return HEADROOM * part.nbytes <= free
    if free and HEADROOM * part.nbytes > free:
        raise ConfigError(
            f"feeding=device: {len(part)} crops take {part.nbytes / 1e9:.1f} GB and {HEADROOM} times that to train, "
            f"{free / 1e9:.1f} GB are free on the device; use feeding=disk or a smaller input size"
        )
    return True
