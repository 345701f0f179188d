"""Augments batches in processes: Python's lock lets threads use little more than one core for small images."""

import functools
import mmap

import numpy as np

from kerastrash.augment.augmentation import Augmentation, Draws
from kerastrash.data.cache import MappedReader
from kerastrash.processes import Child, ChildError

MappedFile = tuple[str, int, tuple[int, ...]]
"""Path, offset and shape of a uint8 array on disk."""


class Worker:
    """A process that augments one batch at a time; calls from several threads must not overlap.

    Args:
        images: uint8 (n, height, width, 3); where it is memory-mapped, the process maps it too, otherwise the rows of a
            batch are sent.
        augmentation: what is done to each image.
    """

    def __init__(self, images: np.ndarray, augmentation: Augmentation) -> None:
        self._images, self._augmentation = images, augmentation
        whole = isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap)  # and no part of a mapped array
        self._file = (str(images.filename), images.offset, images.shape) if whole else None
        self.child = Child({"OMP_NUM_THREADS": "1"})

    def augment(self, indices: np.ndarray, draws: Draws) -> np.ndarray:
        """The images at `indices`, each by its row of `draws`: a new uint8 array.

        Raises:
            ChildError: the process has ended.
        """
        rows = indices if self._file else self._images[indices]
        try:
            return self.child.call(f"{__name__}:augmented", self._file, rows, self._augmentation, draws)
        except ChildError as error:
            remedy = "what it said stands above; --workers 0 augments without such processes"
            raise ChildError(f"augmenting images: {error}; {remedy}", error.traceback) from error


def augmented(file: MappedFile | None, rows: np.ndarray, augmentation: Augmentation, draws: Draws) -> np.ndarray:
    """What the process does: rows of the file, or pixels as they were sent, each by its row of `draws`."""
    pixels = _reader(file).rows(rows) if file else rows
    augmentation.apply_each(pixels, draws)
    return pixels


@functools.cache
def _reader(file: MappedFile) -> MappedReader:
    path, offset, shape = file
    return MappedReader(np.memmap(path, np.uint8, "r", offset, shape))
