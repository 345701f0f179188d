"""What a source of data is: crops to cut, what was left out and why, a fingerprint; and what is prepared of it."""

import functools
import hashlib
import json
import math
import mmap
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

Thing = TypeVar("Thing")
Box = tuple[float, float, float, float]
Frame = tuple[int, int]

SPLITS = ("train", "val", "test")
MOST_MAPPED = 2**26
"""Bytes read before the pages are given back: about so much of the cache counts to the process."""


class EncodedImage(Protocol):
    """An encoded image inside a larger file. Hashable; `str()` of it names it in messages."""

    def read_bytes(self) -> bytes:
        """The bytes of the encoded image."""
        ...


@dataclass(frozen=True)
class Crop:
    """One object to classify: a box on a photograph, or a whole photograph."""

    image: Path | EncodedImage
    box: Box | None
    """x, y, width, height in pixels; None is the whole image."""
    label: int
    key: str
    """Unique in its source, and the same at every reading of it."""
    split: str | None = None
    """`train`, `val` or `test` where the source fixes it."""
    frame: Frame | None = None
    """Width and height, in pixels, of the image on which the box was drawn, where the source states it."""
    photograph: str = ""
    """SHA-256 (hex) of the photograph's file, where `image` is a record that holds the crop alone; else empty."""
    image_id: str = ""
    """The photograph's id in the annotation file, as text; empty where the source has none."""
    area: float | None = None
    """Area of the object in square pixels of the photograph, where the annotation states it."""
    licence: str = ""
    """Licence of the photograph as text, where the annotation file states it; else empty."""


@dataclass(frozen=True)
class LeftOut:
    """Something that is not used. Equal reasons have equal words, so that they can be counted."""

    what: str
    reason: str


@dataclass(frozen=True)
class Source:
    """Every crop that a data set offers; no image needs to have been opened."""

    name: str
    classes: tuple[str, ...]
    crops: tuple[Crop, ...]
    left_out: tuple[LeftOut, ...]
    fingerprint: str
    """SHA-256 (hex) over classes, keys, boxes, labels, splits, file sizes and modification times."""


@dataclass(frozen=True)
class SplitData:
    """One split of a data set; `images` is the whole array, of which `indices` are the rows."""

    images: np.memmap
    indices: np.ndarray
    labels: np.ndarray
    """int64, the class of each of `indices`."""
    crops: tuple[Crop, ...]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def nbytes(self) -> int:
        """Bytes of the split's pixels."""
        return len(self.indices) * self.images[:1].nbytes


@dataclass(frozen=True)
class Dataset(Source):
    """A source of which every crop that could be decoded is there, in the order of the cache; and its splits."""

    images: np.memmap
    """uint8 (n, size, size, 3), RGB, memory-mapped read-only."""
    labels: np.ndarray
    """int64 (n,)."""
    groups: np.ndarray
    """str (n,): the SHA-256 of the photograph; one file under two names is one photograph."""
    sizes: np.ndarray
    """int64 (n, 2): width and height in pixels of the crop before padding."""
    splits: dict[str, np.ndarray]
    """`train`, `val`, `test` -> ascending int64 indices. A crop that would leak is in none."""
    input_size: int

    def split(self, name: str) -> SplitData:
        """The split `train`, `val` or `test`."""
        indices = self.splits[name]
        return SplitData(self.images, indices, self.labels[indices], tuple(self.crops[index] for index in indices))


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


def fingerprint(classes: Iterable[str], crops: Iterable[Crop]) -> str:
    """SHA-256 (hex) that changes with every change of the crops or of the files they are cut from."""

    @functools.cache
    def size_and_time(path: Path) -> tuple[int, int]:
        try:
            status = path.stat()
        except (OSError, ValueError):
            return (-1, -1)  # an absent file counts too: the fingerprint changes once it is there
        return (status.st_size, status.st_mtime_ns)

    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for crop in crops:
        row = [crop.key, crop.box, crop.label, crop.split, crop.frame, size_and_time(crop.image)]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def path_inside(folder: Path, file_name: str) -> Path | None:
    """The path of an image, or None where it is absolute or leads out of the folder, symbolic links followed."""
    try:
        inside = (folder / file_name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a NUL byte, a name too long, a loop of links
        return None
    return folder / file_name if inside and not Path(file_name).is_absolute() else None


NOT_FINITE, NO_AREA, OUTSIDE = "box holds NaN or infinity", "box has no area", "box lies outside the image"


def box_fault(box: Box, size: tuple[float, float]) -> str | None:
    """Why a box x, y, width, height holds no pixel of an image of this width and height, or None."""
    x, y, width, height = box
    if not all(map(math.isfinite, (*box, x + width, y + height))):
        return NOT_FINITE
    if width <= 0 or height <= 0:
        return NO_AREA
    return OUTSIDE if x + width <= 0 or y + height <= 0 or x >= size[0] or y >= size[1] else None


def grouped(things: Iterable[Thing], key: Callable[[Thing], Hashable]) -> dict[Hashable, list[Thing]]:
    """The things under each key, keys in the order of their first things."""
    groups: dict[Hashable, list[Thing]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups


def by_reason(left_out: Iterable[LeftOut]) -> dict[str, list[str]]:
    """What was left out under each reason, the most frequent reason first."""
    groups = sorted(grouped(left_out, attrgetter("reason")).items(), key=lambda group: -len(group[1]))
    return {reason: [item.what for item in items] for reason, items in groups}


def count_reasons(left_out: Iterable[LeftOut]) -> str:
    """The reasons with their counts, most frequent first, as the end of a sentence."""
    counts = [f"{len(what)} x {reason}" for reason, what in by_reason(left_out).items()]
    return ", ".join(counts[:5]) or "nothing found"
