"""Opens the cache of a source: every crop decoded once into a memory-mapped array on disk.

A cache is a folder, NAME-FINGERPRINT-SIZE/, of `images.npy` (uint8, (n, size, size, 3)) and `crops.jsonl` (what its
rows are, and what could not be decoded). It is built beside its place and renamed into it: it is whole or absent.
"""

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerastrash.data.cache_writer import CROPS, IMAGES, VERSION, alone_at, build, read_lines
from kerastrash.data.images import Track, untracked
from kerastrash.data.records import Crop, LeftOut, Source
from kerastrash.errors import FileError

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


@dataclass(frozen=True)
class CachedCrops:
    """The crops that could be decoded, in the order of the array's rows."""

    folder: Path
    images: np.memmap
    crops: tuple[Crop, ...]
    labels: np.ndarray
    groups: np.ndarray
    sizes: np.ndarray
    left_out: tuple[LeftOut, ...]


def cached_crops(source: Source, folder: Path, size: int, track: Track = untracked) -> CachedCrops:
    """Opens the cache of the source at `size` pixels; builds it where it is absent, partial or damaged.

    Raises:
        DataError: not one crop could be decoded.
        FileError: the cache cannot be written.
    """
    name = re.sub(r"[^\w.-]+", "_", source.name).strip(".") or "data"
    target = folder / f"{name}-{source.fingerprint[:16]}-{size}"
    cached = _open(target, source, size)
    if cached is None:
        with alone_at(target):
            cached = _open(target, source, size)  # another process may have built it meanwhile
            if cached is None:
                build(source, target, size, track)
                cached = _open(target, source, size)
    if cached is None:
        raise FileError(f"{target}: the cache changed while it was written; remove the folder and try again")
    return cached


def _open(target: Path, source: Source, size: int) -> CachedCrops | None:
    try:
        header, photographs = read_lines(target / CROPS)
        images = np.load(target / IMAGES, mmap_mode="r")
        rows = [(*crop, photograph["photograph"]) for photograph in photographs for crop in photograph["crops"]]
        if (header["version"], header["fingerprint"], header["size"]) != (VERSION, source.fingerprint, size):
            return None
        whole = images.offset + images.nbytes == (target / IMAGES).stat().st_size
        if not whole or len(photographs) != header["photographs"]:
            return None
        if images.shape != (len(rows), size, size, 3) or images.dtype != np.uint8:
            return None
        keys, labels, widths, heights, groups = zip(*rows, strict=True)
        by_key = {crop.key: crop for crop in source.crops}
        return CachedCrops(
            folder=target,
            images=images,
            crops=tuple(by_key[key] for key in keys),
            labels=np.asarray(labels, dtype=np.int64),
            groups=np.asarray(groups, dtype=str),
            sizes=np.column_stack([widths, heights]).astype(np.int64),
            left_out=tuple(LeftOut(*item) for photograph in photographs for item in photograph["left_out"]),
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError):
        return None
