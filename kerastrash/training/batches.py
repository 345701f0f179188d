"""Batches of cached crops for `fit`, `evaluate` and `predict` on any backend, seeded by (seed, epoch, index)."""

import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import keras
import numpy as np

from kerastrash.augment.augmentation import Augmentation, Draws, Worker
from kerastrash.augment.mix import Mixing, mix_images, mix_labels
from kerastrash.data.records import MappedReader
from kerastrash.errors import ConfigError
from kerastrash.training.losses import Supervision
from kerastrash.training.recipe import Sampler

ORDER = 0  # what this stream of random numbers is for, the fourth word of its seed


def epoch_order(labels: np.ndarray, seed: int, epoch: int, sampler: Sampler | None) -> np.ndarray:
    """Indices into `labels`, int64 (n,), in the order of one epoch.

    Args:
        labels: int (n,), the class of each crop.
        sampler: None takes the crops as they stand; `shuffle` each once in a new order; `balanced` as many of every
            class, so that each crop of a small class comes several times and not every crop of a large one comes.
    """
    count = len(labels)
    if sampler is None:
        return np.arange(count)
    rng = np.random.default_rng((seed, epoch, 0, ORDER))
    if sampler == "shuffle":
        return rng.permutation(count)
    classes = np.unique(labels)
    share, rest = divmod(count, len(classes))
    wanted = np.full(len(classes), share)
    wanted[rng.permutation(len(classes))[:rest]] += 1  # what does not divide evenly goes to classes drawn at random
    drawn = []
    for label, number in zip(classes, wanted, strict=True):
        members = np.flatnonzero(labels == label)
        rounds = -(-number // len(members))  # whole ones: no crop comes twice more often than another of its class
        drawn.append(np.concatenate([rng.permutation(members) for _ in range(rounds)])[:number])
    return rng.permutation(np.concatenate(drawn))


@dataclass(frozen=True)
class Epoch:
    """What is drawn at the start of an epoch, for all its batches."""

    number: int
    order: np.ndarray
    draws: Draws | None
    targets: np.ndarray | None


class CropBatches(keras.utils.PyDataset):
    """Batches (images, labels) of the crops named by `indices`, augmented with Pillow.

    Images are uint8 (batch, size, size, 3), or float32 where they are mixed. Labels are int32 (batch,), or float32
    (batch, classes) where `classes` is given, or float32 (batch, 1 + k), each label before its crop's targets, where
    there is `supervision`. The order is drawn from (seed, epoch), every image's augmentation from
    (seed, epoch, index in the cache), what is mixed from (seed, epoch, number of the batch): a batch is the same
    whatever the workers, and in a run that is taken up again. The epoch is set, by `set_epoch` or by the
    `FollowEpochs` callback, because Keras calls `on_epoch_end` before the first epoch too. The workers are ours,
    because Keras's keep batches left from one epoch, or from building the model, for the next. Call `fit` with
    `shuffle=False`: by default it takes the batches in an order of its own.

    Args:
        images: uint8 (n, size, size, 3), the whole cache; a memory-mapped array is read batch by batch.
        indices: int (m,), the crops to use.
        labels: int (m,), the class of each of `indices`.
        batch_size: crops a batch; the last batch holds what is left, unless `drop_remainder`.
        augmentation: changes each image by its own random numbers.
        mixing: mixes the images of a batch in pairs, and their labels; needs `classes`.
        classes: makes the labels one-hot.
        sampler: the order of an epoch, see `epoch_order`; None is that of `indices`.
        workers: threads that prepare batches ahead, each with a process that augments; 0 prepares each batch when it
            is asked for.
        supervision: its targets join the labels, its draws are the augmentation's; both are asked as an epoch is set.

    Raises:
        ConfigError: there is no batch, `indices` and `labels` differ in length, `mixing` has no `classes`, or there are
            targets of another shape, or beside `classes`.
    """

    _mix_images = staticmethod(mix_images)

    def __init__(
        self,
        images: np.ndarray,
        indices: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        augmentation: Augmentation | None = None,
        mixing: Mixing | None = None,
        classes: int | None = None,
        seed: int = 0,
        epoch: int = 0,
        sampler: Sampler | None = None,
        drop_remainder: bool = False,
        workers: int = 0,
        supervision: Supervision | None = None,
    ) -> None:
        super().__init__(workers=1)
        self.images, self.indices = images, np.asarray(indices)
        self._reader = MappedReader(images)
        self.labels = np.asarray(labels, np.int32)
        self.batch_size, self.augmentation, self.mixing, self.classes = batch_size, augmentation, mixing, classes
        self.seed, self.sampler, self.drop_remainder = seed, sampler, drop_remainder
        self.supervision = supervision
        _require(len(self.labels) == len(self.indices), f"{len(self.indices)} crops have {len(self.labels)} labels")
        _require(batch_size > 0, f"batch_size={batch_size} is not positive")
        _require(len(self) > 0, f"{len(self.indices)} crops make no batch of {batch_size}")
        _require(mixing is None or classes is not None, "mixing needs the number of classes")
        _require(supervision is None or classes is None, "targets join integer labels, not mixed or one-hot ones")
        self._pool = ThreadPoolExecutor(workers) if workers else None
        self._ahead = 2 * workers
        self._pending: dict[int, Future] = {}
        self._augmenting: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(workers if augmentation else 0):
            worker = Worker(images, augmentation)
            weakref.finalize(self, worker.child.close)  # it ends with the batches
            self._augmenting.put(worker)
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Makes the batches those of `epoch`, from 0 on; batches prepared for another epoch are dropped."""
        for future in self._pending.values():
            future.cancel()
        self._pending = {}
        drawn_from = self.supervision.draws(epoch) if self.supervision else (self.seed, epoch)
        draws = self.augmentation.draw(*drawn_from, len(self.images)) if self.augmentation else None
        order = epoch_order(self.labels, self.seed, epoch, self.sampler)
        targets = self.supervision.targets(epoch) if self.supervision else None
        shape, crops = np.shape(targets), len(self.images)
        fit = targets is None or (len(shape) == 2 and shape[0] == crops)
        _require(fit, f"the targets of epoch {epoch} are {shape} for {crops} crops")
        self.epoch = Epoch(epoch, order, draws, targets)

    def __len__(self) -> int:
        full, rest = divmod(len(self.indices), self.batch_size)
        return full if self.drop_remainder or not rest else full + 1

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch `number` of this epoch."""
        if self._pool is None:
            return self._batch(number, self.epoch)
        for ahead in range(number, min(number + self._ahead, len(self))):
            if ahead not in self._pending:
                self._pending[ahead] = self._pool.submit(self._batch, ahead, self.epoch)
        return self._pending.pop(number).result()

    def _batch(self, number: int, epoch: Epoch) -> tuple[np.ndarray, np.ndarray]:
        chosen, images = self._chosen(number, epoch), self._augmented(number, epoch)
        if self.mixing is not None:
            mix = self.mixing.draw(self.seed, epoch.number, number, len(chosen), self.images.shape[1])
            return self._mix_images(images, mix), mix_labels(self.labels[chosen], mix, self.classes)
        return images, self._labels(chosen, epoch)

    def _labels(self, chosen: np.ndarray, epoch: Epoch) -> np.ndarray:
        """The labels of some of `indices`: as they are, one-hot, or joined by their targets."""
        labels = self.labels[chosen]
        if epoch.targets is not None:
            targets = epoch.targets[self.indices[chosen]]
            return np.concatenate([labels[:, None], targets], axis=1, dtype=np.float32)
        return labels if self.classes is None else np.eye(self.classes, dtype=np.float32)[labels]

    def _chosen(self, number: int, epoch: Epoch, count: int = 1) -> np.ndarray:
        """Which of `indices` stand in `count` batches, from batch `number` on."""
        return epoch.order[number * self.batch_size : (number + count) * self.batch_size]

    def _augmented(self, number: int, epoch: Epoch) -> np.ndarray:
        indices = self.indices[self._chosen(number, epoch)]
        if self._pool is not None and epoch.draws is not None:
            worker = self._augmenting.get()
            try:
                return worker.augment(indices, epoch.draws[indices])
            finally:
                self._augmenting.put(worker)
        images = self._reader.rows(indices)
        if epoch.draws is not None:
            self.augmentation.apply_each(images, epoch.draws[indices])
        return images


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
