"""How many crops there are by class and split, how large they are, and of what shape."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerastrash.data.dataset import Dataset
from kerastrash.data.records import SPLITS, Source, by_reason

TINY = 16
"""A crop with a side under this many pixels is counted as tiny."""

LONG_SIDES = (16, 32, 64, 128, 256, 512, 1024)
ASPECTS = (1 / 4, 1 / 2, 4 / 5, 5 / 4, 2, 4)
ASPECT_NAMES = ("under 1:4", "1:4 to 1:2", "1:2 to 4:5", "4:5 to 5:4", "5:4 to 2:1", "2:1 to 4:1", "4:1 and more")


@dataclass(frozen=True)
class ClassCount:
    """The crops of one class that are used."""

    name: str
    splits: dict[str, int]
    """`train`, `val`, `test` -> crops."""
    crops: int
    photographs: int
    tiny: int
    """Crops with a side under 16 pixels."""


@dataclass(frozen=True)
class Histogram:
    """Crops by range of one measure."""

    title: str
    bars: tuple[tuple[str, int], ...]


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


def class_counts(counted: Counted) -> tuple[ClassCount, ...]:
    """A row for each class, and one for all."""
    return tuple(_class_count(counted, name, mine) for name, mine in _masks(counted))


def _masks(counted: Counted) -> list[tuple[str, np.ndarray]]:
    masks = [(name, counted.labels == label) for label, name in enumerate(counted.classes)]
    return [*masks, ("all", np.ones(len(counted.labels), dtype=bool))]


def _class_count(counted: Counted, name: str, mine: np.ndarray) -> ClassCount:
    splits = {split: int(np.sum(counted.splits[mine] == split)) for split in SPLITS}
    shortest = counted.sizes[mine].min(axis=1)
    tiny = int(np.sum((shortest > 0) & (shortest < TINY)))
    return ClassCount(name, splits, int(mine.sum()), len(np.unique(counted.groups[mine])), tiny)


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Counts by class and split, crop sizes in pixels, and everything left out by reason; ready for JSON."""
    counted = counted_dataset(dataset)
    *classes, everything = [_class_summary(counted, name, mine) for name, mine in _masks(counted)]
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "input_size": dataset.input_size,
        "classes": dict(zip(dataset.classes, classes, strict=True)),
        "all": everything,
        "left_out": by_reason(dataset.left_out),
    }


def _class_summary(counted: Counted, name: str, mine: np.ndarray) -> dict[str, Any]:
    count, summary = _class_count(counted, name, mine), {}
    for side, values in zip(("width", "height"), counted.sizes[mine].T, strict=True):
        summary[side] = {"min": int(values.min()), "median": float(np.median(values)), "max": int(values.max())}
    return {**count.splits, "crops": count.crops, "photographs": count.photographs, **summary, "tiny": count.tiny}


def histograms(counted: Counted) -> tuple[Histogram, ...]:
    """Histograms of the longer side and of width : height; crops of unknown size are left out."""
    sizes = counted.sizes[counted.sizes.min(axis=1) > 0]
    ranges = (f"{low} to {high - 1}" for low, high in itertools.pairwise((0, *LONG_SIDES)))
    long_names = (*ranges, f"{LONG_SIDES[-1]} and more")
    return (
        Histogram("longer side of the crops, px", _bars(sizes.max(axis=1, initial=0), LONG_SIDES, long_names)),
        Histogram("width : height of the crops", _bars(sizes[:, 0] / sizes[:, 1], ASPECTS, ASPECT_NAMES)),
    )


def _bars(values: np.ndarray, edges: Sequence[float], names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    counts = np.bincount(np.digitize(values, edges), minlength=len(names))
    return tuple(zip(names, counts.tolist(), strict=True))
