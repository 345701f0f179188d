"""Photographs to the pixels of their crops, several at a time and never far ahead of whoever takes them."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from kerastrash.data.images import ImageError, cut, decode, digest, read_bytes, square
from kerastrash.data.records import Crop, LeftOut

AT_ONCE = 8
"""Crops, at least, a task of a thread: with one each, threads would spend a tenth of their time on handing over."""
AHEAD = 8
"""Tasks done or under way ahead of the photograph that is taken: this bounds the memory."""
MOST_THREADS = 8


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
    """Decodes in threads (Pillow does so outside the GIL) and yields in the order given."""
    pending: deque[Future[list[Photograph]]] = deque()
    pool = ThreadPoolExecutor(max(2, min(MOST_THREADS, os.cpu_count() or 2)))
    try:
        for task in _tasks(photographs):
            pending.append(pool.submit(_decode_each, task, size))
            if len(pending) >= AHEAD:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
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


def _decode_each(photographs: Sequence[tuple[Crop, ...]], size: int) -> list[Photograph]:
    return [decode_photograph(crops, size) for crops in photographs]


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
