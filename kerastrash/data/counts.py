"""How many crops there are by class and split, how large they are, and of what shape."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerastrash.data.records import SPLITS, Dataset, Source, by_reason

TINY = 16
"""A crop with a side under this many pixels is counted as tiny."""

LONG_SIDES = (16, 32, 64, 128, 256, 512, 1024)
ASPECTS = (1 / 4, 1 / 2, 4 / 5, 5 / 4, 2, 4)
ASPECT_NAMES = ("under 1:4", "1:4 to 1:2", "1:2 to 4:5", "4:5 to 5:4", "5:4 to 2:1", "2:1 to 4:1", "4:1 and more")


@dataclass(frozen=True)
class Counted:
    """Columns over the crops that are used."""

    classes: tuple[str, ...]
    labels: np.ndarray
    groups: np.ndarray
    sizes: np.ndarray
    """(n, 2): width and height in pixels; 0 where unknown."""
    splits: np.ndarray
    """str (n,): empty where there is none."""


def counted_dataset(dataset: Dataset) -> Counted:
    """The crops of a prepared set that stand in a split."""
    splits = np.zeros(len(dataset.labels), dtype="<U5")
    for name, indices in dataset.splits.items():
        splits[indices] = name
    used = splits != ""
    return Counted(dataset.classes, dataset.labels[used], dataset.groups[used], dataset.sizes[used], splits[used])


def counted_source(source: Source) -> Counted:
    """The crops of a source as annotated, for one of which no image can be used."""
    boxes = [crop.box[2:] if crop.box else (0, 0) for crop in source.crops]
    return Counted(
        source.classes,
        np.array([crop.label for crop in source.crops]),
        np.array([str(crop.image) for crop in source.crops]),
        np.array(boxes).reshape(-1, 2),
        np.array([crop.split or "" for crop in source.crops]),
    )


def class_counts(counted: Counted) -> list[dict[str, Any]]:
    """A row for each class, then one for all: `name`, `splits` (crops in each), `crops`, `photographs` and `tiny`."""
    return [row for row, _ in _rows(counted)]


def _rows(counted: Counted) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """The rows of `class_counts`, each with the sizes of its crops."""
    masks = [(name, counted.labels == label) for label, name in enumerate(counted.classes)]
    for name, mine in (*masks, ("all", np.ones(len(counted.labels), dtype=bool))):
        splits = {split: int(np.sum(counted.splits[mine] == split)) for split in SPLITS}
        shortest = counted.sizes[mine].min(axis=1)
        tiny = int(np.sum((shortest > 0) & (shortest < TINY)))
        counts = {"crops": int(mine.sum()), "photographs": len(np.unique(counted.groups[mine])), "tiny": tiny}
        yield {"name": name, "splits": splits} | counts, counted.sizes[mine]


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Counts by class and split, crop sizes in pixels, and everything left out by reason; ready for JSON."""
    rows = []
    for row, sizes in _rows(counted_dataset(dataset)):
        for side, values in zip(("width", "height"), sizes.T, strict=True):
            row[side] = {"min": int(values.min()), "median": float(np.median(values)), "max": int(values.max())}
        rows.append((row.pop("name"), row.pop("splits") | row))
    *classes, (_, everything) = rows
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "input_size": dataset.input_size,
        "classes": dict(classes),
        "all": everything,
        "left_out": by_reason(dataset.left_out),
    }


def histograms(counted: Counted) -> dict[str, dict[str, int]]:
    """Crops by range of the longer side and of width : height, under a title each; without those of unknown size."""
    sizes = counted.sizes[counted.sizes.min(axis=1) > 0]
    ranges = (f"{low} to {high - 1}" for low, high in itertools.pairwise((0, *LONG_SIDES)))
    long_names = (*ranges, f"{LONG_SIDES[-1]} and more")
    return {
        "longer side of the crops, px": _bars(sizes.max(axis=1, initial=0), LONG_SIDES, long_names),
        "width : height of the crops": _bars(sizes[:, 0] / sizes[:, 1], ASPECTS, ASPECT_NAMES),
    }


def _bars(values: np.ndarray, edges: Sequence[float], names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(np.digitize(values, edges), minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))
