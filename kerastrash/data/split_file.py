"""Keeps a split beside its crops: at 100,000 crops it takes longer to compute than everything else at a start."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerastrash.data.records import SPLITS, LeftOut
from kerastrash.errors import FileError
from kerastrash.files import read_json, write_json

VERSION = 1
"""Changes with the way crops are divided."""
Split = tuple[dict[str, np.ndarray], tuple[LeftOut, ...]]


def kept_split(path: Path, count: int, compute: Callable[[], Split]) -> Split:
    """The split that stands in the file; computes and keeps it where there is none, or it is not one of `count` crops.

    A cache that cannot be written is no error: the split is then computed each time.
    """
    split = _read(path, count)
    if split is None:
        split = compute()
        sides, left_out = split
        record = {"version": VERSION, "crops": count, "left_out": [(item.what, item.reason) for item in left_out]}
        with contextlib.suppress(FileError):
            write_json(path, record | {side: indices.tolist() for side, indices in sides.items()})
    return split


def _read(path: Path, count: int) -> Split | None:
    try:
        record = read_json(path)
        if (record["version"], record["crops"]) != (VERSION, count):
            return None
        sides = {side: np.asarray(record[side], dtype=np.int64) for side in SPLITS}
        within = all(len(indices) and 0 <= indices.min() <= indices.max() < count for indices in sides.values())
        return (sides, tuple(LeftOut(*item) for item in record["left_out"])) if within else None
    except (FileError, KeyError, TypeError, ValueError):
        return None
