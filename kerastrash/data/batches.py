"""Batches of cached crops for `fit`, `evaluate` and `predict` on any backend, seeded by (seed, epoch, index)."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import keras
import numpy as np

from kerastrash.errors import ConfigError

Batch = tuple[np.ndarray, np.ndarray]
ORDER, CROP = 0, 1  # what a stream of random numbers is for


class CropBatches(keras.utils.PyDataset):
    """Batches (images uint8 (batch, size, size, 3), labels int32 (batch,)) of the crops named by `indices`.

    The order is drawn from (seed, epoch), every image's augmentation from (seed, epoch, index in the cache): a batch is
    the same whatever the workers, and in a run that is taken up again. The epoch is set, by `set_epoch` or by the
    `FollowEpochs` callback, because Keras calls `on_epoch_end` before the first epoch too. The threads are ours,
    because Keras's workers keep batches left from one epoch, or from building the model, for the next.
    Call `fit` with `shuffle=False`: by default it takes the batches in an order of its own, which no seed of ours sets.

    Args:
        images: uint8 (n, size, size, 3), the whole cache; a memory-mapped array is read batch by batch.
        indices: int (m,), the crops to use.
        labels: int (m,), the class of each of `indices`.
        batch_size: crops a batch; the last batch holds what is left, unless `drop_remainder`.
        augmentation: changes each image, by its own random numbers; None leaves them.
        seed: of the order and of the augmentation.
        epoch: the first epoch.
        shuffle: a new order each epoch; otherwise that of `indices`.
        drop_remainder: leaves out a last batch that is not full.
        workers: threads that prepare batches ahead; 0 or 1 prepares each when it is asked for.

    Raises:
        ConfigError: there is no batch, or `indices` and `labels` differ in length.
    """

    def __init__(
        self,
        images: np.ndarray,
        indices: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        augmentation: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = False,
        drop_remainder: bool = False,
        workers: int = 1,
    ) -> None:
        super().__init__(workers=1)
        self.images, self.indices = images, np.asarray(indices)
        self.labels = np.asarray(labels, np.int32)
        self.batch_size, self.augmentation, self.seed = batch_size, augmentation, seed
        self.shuffle, self.drop_remainder = shuffle, drop_remainder
        _require(len(self.labels) == len(self.indices), f"{len(self.indices)} crops have {len(self.labels)} labels")
        _require(batch_size > 0, f"batch_size={batch_size} is not positive")
        _require(len(self) > 0, f"{len(self.indices)} crops make no batch of {batch_size}")
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None
        self._ahead = 2 * workers
        self._pending: dict[int, Future[Batch]] = {}
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Makes the batches those of `epoch`, from 0 on; batches prepared for another epoch are dropped."""
        for future in self._pending.values():
            future.cancel()
        self.epoch, self._pending = epoch, {}
        count = len(self.indices)
        rng = np.random.default_rng((self.seed, epoch, 0, ORDER))
        self._order = rng.permutation(count) if self.shuffle else np.arange(count)

    def __len__(self) -> int:
        full, rest = divmod(len(self.indices), self.batch_size)
        return full if self.drop_remainder or not rest else full + 1

    def __getitem__(self, number: int) -> Batch:
        """Batch `number` of this epoch."""
        if self._pool is None:
            return self._batch(number, self.epoch, self._order)
        for ahead in range(number, min(number + self._ahead, len(self))):
            if ahead not in self._pending:
                self._pending[ahead] = self._pool.submit(self._batch, ahead, self.epoch, self._order)
        return self._pending.pop(number).result()

    def _batch(self, number: int, epoch: int, order: np.ndarray) -> Batch:
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        indices = self.indices[chosen]
        images = np.asarray(self.images[indices])
        if self.augmentation is not None:
            for image, index in zip(images, indices, strict=True):
                image[...] = self.augmentation(image, np.random.default_rng((self.seed, epoch, int(index), CROP)))
        return images, self.labels[chosen]


class FollowEpochs(keras.callbacks.Callback):
    """Tells the batches which epoch begins; `fit(initial_epoch=...)` then goes on with the batches of that epoch."""

    def __init__(self, batches: CropBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.batches.set_epoch(epoch)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ConfigError(f"batches: {what}; give more crops, or another batch size")
