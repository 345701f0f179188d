"""The whole set on the backend's device, drawn from and augmented there: no pixel crosses the bus in an epoch."""

from typing import Any

import numpy as np
from keras import ops

from kerastrash.data.augment.device import augment_batch, mix_batch
from kerastrash.data.augment.mix import MixDraw
from kerastrash.data.batches import CropBatches, Epoch
from kerastrash.data.cache import MappedReader

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"workers": 0})
        self._resident = _on_device(self._reader, self.indices)
        self._together = max(1, AT_ONCE // (self.batch_size * self.images[0].nbytes))
        self._made: tuple[tuple[int, int], Any] = ((-1, -1), None)

    def _augmented(self, number: int, epoch: Epoch) -> Any:
        if epoch.draws is None:
            return self._drawn(self._places(number, epoch))
        first = number - number % self._together
        if self._made[0] != (epoch.number, first):
            places = self._places(first, epoch, self._together)
            draws = epoch.draws[self.indices[places]]
            augmented = augment_batch(self._drawn(places), draws, self.augmentation.cutout)
            self._made = ((epoch.number, first), augmented)
        start = (number - first) * self.batch_size
        return self._made[1][start : start + self.batch_size]

    def _drawn(self, places: np.ndarray) -> Any:
        return ops.take(self._resident, ops.convert_to_tensor(places, dtype="int32"), axis=0)

    def _mixed(self, images: Any, mix: MixDraw) -> Any:
        return mix_batch(images, mix)


def _on_device(reader: MappedReader, indices: np.ndarray) -> Any:
    rows = max(1, CHUNK // reader.images[0].nbytes)
    starts = range(0, len(indices), rows)
    parts = [ops.convert_to_tensor(reader.rows(indices[start : start + rows])) for start in starts]
    return ops.concatenate(parts) if len(parts) > 1 else parts[0]
