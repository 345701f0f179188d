"""Reads a memory-mapped cache without growing by it."""

import mmap

import numpy as np

MOST_MAPPED = 2**26
"""Bytes read before the pages are given back: about so much of the cache counts to the process."""


class MappedReader:
    """Reads rows of an array; where it is memory-mapped, gives back the memory that its pages have taken meanwhile.

    Without this, a process that reads a whole cache grows by the size of the cache. The system keeps the pages as long
    as it likes, so that reading them again is quick.
    """

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self._read = 0

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """A copy of the rows at `indices`."""
        rows = np.array(self.images[indices])
        self._read += rows.nbytes
        if self._read > MOST_MAPPED:
            self._read = 0
            self.forget()
        return rows

    def forget(self) -> None:
        """Gives the pages back; does nothing to other arrays, and where the system has no `madvise`."""
        mapping = getattr(self.images, "_mmap", None)
        if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)
