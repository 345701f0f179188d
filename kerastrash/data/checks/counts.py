"""How many crops there are by class and side, how large they are, and of what shape."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerastrash.data.dataset import Dataset
from kerastrash.data.records import SPLITS, Source
from kerastrash.data.summary import TINY

LONG_SIDES = (16, 32, 64, 128, 256, 512, 1024)
ASPECTS = (1 / 4, 1 / 2, 4 / 5, 5 / 4, 2, 4)
ASPECT_NAMES = ("under 1:4", "1:4 to 1:2", "1:2 to 4:5", "4:5 to 5:4", "5:4 to 2:1", "2:1 to 4:1", "4:1 and more")


@dataclass(frozen=True)
class ClassCount:
    """The crops of one class that are used."""

    name: str
    sides: dict[str, int]
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
    sides: np.ndarray
    """str (n,): empty where there is no split."""


def counted_dataset(dataset: Dataset) -> Counted:
    """The crops of a prepared set that stand on a side."""
    sides = np.zeros(len(dataset.labels), dtype="<U5")
    for name, indices in dataset.splits.items():
        sides[indices] = name
    used = sides != ""
    return Counted(dataset.classes, dataset.labels[used], dataset.groups[used], dataset.sizes[used], sides[used])


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
    everything = np.ones(len(counted.labels), dtype=bool)
    masks = [(name, counted.labels == label) for label, name in enumerate(counted.classes)]
    return tuple(_class_count(counted, name, mine) for name, mine in (*masks, ("all", everything)))


def _class_count(counted: Counted, name: str, mine: np.ndarray) -> ClassCount:
    sides = {side: int(np.sum(counted.sides[mine] == side)) for side in SPLITS}
    shortest = counted.sizes[mine].min(axis=1)
    tiny = int(np.sum((shortest > 0) & (shortest < TINY)))
    return ClassCount(name, sides, int(mine.sum()), len(np.unique(counted.groups[mine])), tiny)


def histograms(counted: Counted) -> tuple[Histogram, ...]:
    """Of the longer side, and of width : height; without crops of unknown size."""
    sizes = counted.sizes[counted.sizes.min(axis=1) > 0]
    first, *middle = (
        f"{low} to {high - 1}" for low, high in zip((0, *LONG_SIDES), (*LONG_SIDES, 0), strict=True) if high
    )
    long_names = (first, *middle, f"{LONG_SIDES[-1]} and more")
    return (
        Histogram("longer side of the crops, px", _bars(sizes.max(axis=1, initial=0), LONG_SIDES, long_names)),
        Histogram("width : height of the crops", _bars(sizes[:, 0] / sizes[:, 1], ASPECTS, ASPECT_NAMES)),
    )


def _bars(values: np.ndarray, edges: Sequence[float], names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    counts = np.bincount(np.digitize(values, edges), minlength=len(names))
    return tuple(zip(names, counts.tolist(), strict=True))
