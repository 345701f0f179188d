"""Photographs to the pixels of their crops, several at a time and never far ahead of whoever takes them."""

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from kerastrash.data.images import ImageError, cut, decode, digest, read_bytes, square
from kerastrash.data.records import Crop, LeftOut

AT_ONCE = 8
"""Crops, at least, a task of a thread: with one each, threads would spend a tenth of their time on handing over."""
THREADS = min(32, max(2, os.cpu_count() or 2))
AHEAD = max(8, THREADS)
"""Tasks done or under way ahead of the photograph that is taken: this bounds the memory."""
Item, Result = TypeVar("Item"), TypeVar("Result")


class Track(Protocol):
    """Passes on the items of a long task and shows how far it is; `kerastrash.console.track` draws a bar."""

    def __call__(
        self, items: Iterable[Item], description: str, unit: str, total: int, before: int = 0
    ) -> Iterable[Item]:
        """The items; `before` of the `total` were done by an earlier call."""
        ...


def untracked(items: Iterable[Item], description: str, unit: str, total: int, before: int = 0) -> Iterable[Item]:
    """The items, no progress shown."""
    return items


@dataclass(frozen=True)
class Piece:
    """One crop that could be cut."""

    crop: Crop
    pixels: np.ndarray
    """uint8 (size, size, 3)."""
    sides: tuple[int, int]
    """Width and height in pixels before padding and resizing."""


@dataclass(frozen=True)
class Photograph:
    """What one photograph gave."""

    digest: str
    """SHA-256 (hex) of its file; empty where it could not be read."""
    pieces: tuple[Piece, ...]
    left_out: tuple[LeftOut, ...]


def by_photograph(crops: Sequence[Crop]) -> list[tuple[Crop, ...]]:
    """The crops of each photograph together, so that it is decoded once; in order of first appearance."""
    photographs: dict[tuple, list[Crop]] = {}
    for crop in crops:
        photographs.setdefault((crop.image, crop.frame), []).append(crop)
    return [tuple(together) for together in photographs.values()]


def decode_photographs(photographs: Sequence[tuple[Crop, ...]], size: int) -> Iterator[Photograph]:
    """Decodes in threads and yields in the order given."""
    decoded = in_threads(lambda task: [decode_photograph(crops, size) for crops in task], _tasks(photographs))
    with contextlib.closing(decoded):
        yield from itertools.chain.from_iterable(decoded)


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results in the order of the items; Pillow and SHA-256 work outside the GIL."""
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(THREADS)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _tasks(photographs: Sequence[tuple[Crop, ...]]) -> Iterator[list[tuple[Crop, ...]]]:
    task: list[tuple[Crop, ...]] = []
    for crops in photographs:
        task.append(crops)
        if sum(map(len, task)) >= AT_ONCE:
            yield task
            task = []
    if task:
        yield task


def decode_photograph(crops: Sequence[Crop], size: int) -> Photograph:
    """Decodes one photograph and cuts its crops; what cannot be had is left out with a reason."""
    path, frame = crops[0].image, crops[0].frame
    try:
        data = read_bytes(path)
        image, identity = decode(path, data, frame), crops[0].photograph or digest(data)
    except ImageError as error:
        return Photograph("", (), tuple(LeftOut(crop.key, error.reason) for crop in crops))
    pieces, left_out = [], []
    for crop in crops:
        try:
            piece = cut(image, crop)
            pieces.append(Piece(crop, square(piece, size), piece.size))
        except ImageError as error:
            left_out.append(LeftOut(crop.key, error.reason))
    return Photograph(identity, tuple(pieces), tuple(left_out))
