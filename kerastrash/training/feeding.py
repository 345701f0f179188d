"""The way of crops to the net: from disk through threads, or from the device on which the whole set lies."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from keras import ops

from kerastrash.augment.device import mix_batch, plan_batch
from kerastrash.backends import batch_augmenter, free_accelerator_memory
from kerastrash.console import say
from kerastrash.data.records import Dataset, SplitData
from kerastrash.errors import ConfigError
from kerastrash.training.batches import CropBatches, Epoch
from kerastrash.training.losses import Supervision
from kerastrash.training.recipe import Recipe

AT_ONCE = 2**25
"""Bytes of pixels augmented in one go, several batches where they are small: telling the device what to do takes the
host some time, up to several milliseconds, however many images there are."""
CHUNK = 2**28
"""Bytes sent to the device at a time, which bounds the memory of the host."""


class DeviceBatches(CropBatches):
    """`CropBatches` whose images and labels are tensors on the device, float32 where they are mixed.

    Takes the same arguments, of which `workers` is not needed; order, draws and labels are the same. The crops of
    `indices` are sent to the device once, when it is made, an epoch's order and labels when the epoch is set, and the
    draws of several batches together as they are needed; a thread has prepared them while the device was busy with
    those before. Augmentation agrees with Pillow's within the tolerances of docs/augmentation.md; augmented images are
    whole values in uint8 (Triton), or in float32.
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
        self._plan_batch = batch_augmenter() or plan_batch
        self._planner = ThreadPoolExecutor(1)  # its thread ends with the batches

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        self._order = ops.convert_to_tensor(self.epoch.order.astype(np.int32))
        if self.mixing is None:  # otherwise each batch has labels of its own
            self._answers = ops.convert_to_tensor(self._labels(self.epoch.order, self.epoch))

    def _batch(self, number: int, epoch: Epoch) -> tuple[Any, Any]:
        if self.mixing is not None:
            return super()._batch(number, epoch)
        return self._augmented(number, epoch), self._in_batches(self._answers, number)

    def _augmented(self, number: int, epoch: Epoch) -> Any:
        if epoch.draws is None:
            return ops.take(self._resident, self._in_batches(self._order, number), axis=0)
        first = number - number % self._together
        if self._made[0] != (epoch.number, first):
            plan = self._planned(first).result()
            del self._pending[first]
            if first + self._together < len(self):
                self._planned(first + self._together)
            rows = self._in_batches(self._order, first, self._together)
            self._made = ((epoch.number, first), plan(self._resident, rows))
        return self._in_batches(self._made[1], number - first)

    def _planned(self, first: int) -> Future:
        """What the host prepares for the batches that are augmented together from `first` on."""
        if first not in self._pending:
            draws = self.epoch.draws[self.indices[self._chosen(first, self.epoch, self._together)]]
            settings = (*self.images.shape[1:3], self.augmentation.cutout)
            self._pending[first] = self._planner.submit(self._plan_batch, draws, *settings)
        return self._pending[first]

    def _in_batches(self, rows: Any, number: int, count: int = 1) -> Any:
        """Those of the rows that stand in `count` batches from batch `number` on."""
        return rows[number * self.batch_size : (number + count) * self.batch_size]


MOST_WORKERS = 8
"""Without a number in the recipe: one a core, but no more than these."""
HEADROOM = 4
"""The sets are laid on the device where so many times their size is free: twice while they are sent, as parts and
joined, the rest to train; and beside that what augmentation takes."""
AUGMENTED = 53
"""Bytes that augmentation by Keras's operations takes at its peak for each byte of pixels: 16 for the four neighbours
of each value in float32, 8 before that in uint8, 25 for what lies between them, 4 for the batches made before. The
Triton form takes 4 and the histograms."""


def training_batches(dataset: Dataset, recipe: Recipe, supervision: Supervision | None = None) -> CropBatches:
    """Augmented batches of the training split by the recipe; an incomplete last batch is left out of the epoch.

    Labels are joined by the targets of the supervision. Says on the console where the crops are fed from.

    Raises:
        ConfigError: the recipe wants the set on a device, and it does not fit there or there is none.
    """
    part = dataset.split("train")
    kind = DeviceBatches if on_device(recipe.feeding, part, dataset.split("val")) else CropBatches
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
    """All images of a split in order, as they are; labels of the kind that the recipe's loss takes.

    From the device where they fit: beside the training split, if that has been laid there.

    Raises:
        ConfigError: the recipe wants them on a device, and they do not fit there.
    """
    part = dataset.split(name)
    kind = DeviceBatches if on_device(recipe.feeding, part) else CropBatches
    classes = len(dataset.classes) if recipe.mixing() else None
    return kind(part.images, part.indices, part.labels, recipe.batch_size, classes=classes, workers=1)


def on_device(feeding: str, *parts: SplitData) -> bool:
    """Whether the crops of these parts are to lie on the device: `disk`, `device`, or `auto` where all fit.

    Raises:
        ConfigError: `device`, and they do not fit.
    """
    if feeding == "disk":
        return False
    size, free = sum(part.nbytes for part in parts), free_accelerator_memory()
    needed = HEADROOM * size + AUGMENTED * min(AT_ONCE, size)
    if feeding == "device" and free and needed > free:
        raise ConfigError(
            f"feeding=device: {sum(map(len, parts))} crops take {size / 1e9:.1f} GB, {needed / 1e9:.1f} GB with the "
            f"room to train, {free / 1e9:.1f} GB are free on the device; use feeding=disk or a smaller input size"
        )
    return feeding == "device" or needed <= free
