"""A data set prepared from the settings, every crop decoded, each in its split, and what it holds by class and size;
or made up in seconds, of any size, to measure training where none is at hand."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerastrash.data.cache import cache_folder, cached_crops
from kerastrash.data.config import DataConfig, check_config
from kerastrash.data.images import ImageError, Track, digest, per_photograph, read_bytes, untracked
from kerastrash.data.records import SPLITS, Crop, Dataset, LeftOut, Source, by_reason, count_reasons
from kerastrash.data.sources import open_source
from kerastrash.data.split import kept_split, split_crops
from kerastrash.errors import DataError, require


def prepare(config: DataConfig, input_size: int, track: Track = untracked) -> Dataset:
    """Opens the source, decodes it once into the cache, and splits it.

    Raises:
        DataError: the source, every one of its images, or its split cannot be used.
        ConfigError: a setting is out of range.
        FileError: the cache cannot be written.
    """
    check_config(config, input_size)
    return prepare_source(open_source(config), config, input_size, track)


def prepare_source(source: Source, config: DataConfig, input_size: int, track: Track = untracked) -> Dataset:
    """`prepare` for a source that is open already, with settings that `check_config` accepts."""
    cached = cached_crops(source, config.cache, input_size, track)
    shares = _shares(config)
    path = cache_folder(source, config.cache, input_size) / f"split-{'-'.join(map(str, shares.values()))}.json"
    columns = (cached.classes, cached.crops, cached.labels, cached.groups)
    compute = functools.partial(split_crops, config.data, *columns, **shares)
    splits, leaks = kept_split(path, len(cached.crops), compute)
    return replace(cached, splits=splits, left_out=cached.left_out + leaks)


def _shares(config: DataConfig) -> dict[str, float]:
    return {"validation": config.validation, "test": config.test, "seed": config.split_seed}


def settle_source(source: Source, config: DataConfig, track: Track = untracked) -> Source:
    """Fills in photograph and split of every crop before a single image is decoded.

    The split is that of `prepare` over the photographs that can be read. They are read, not decoded:
    what turns out to be damaged is left out later, and moves no other crop to another split.

    Raises:
        DataError: not one photograph can be read, or a class cannot stand in all three splits.
    """
    crops: list[Crop] = []
    left_out = list(source.left_out)
    for together in per_photograph(_identify, source.crops, "Reading", track):
        for item in together:
            (crops if isinstance(item, Crop) else left_out).append(item)
    if not crops:
        raise DataError(
            f"{config.data}: not one photograph can be read: {count_reasons(left_out)}; "
            "check the image folder (--images) and the files"
        )
    labels = np.array([crop.label for crop in crops], dtype=np.int64)
    groups = np.array([crop.photograph for crop in crops])
    splits, leaks = split_crops(config.data, source.classes, crops, labels, groups, **_shares(config))
    split_of = {index: split for split in SPLITS for index in splits[split].tolist()}
    settled = tuple(replace(crop, split=split_of[index]) for index, crop in enumerate(crops) if index in split_of)
    return replace(source, crops=settled, left_out=(*left_out, *leaks))


def _identify(photograph: Sequence[Crop]) -> list[Crop | LeftOut]:
    """Each crop with the SHA-256 of its photograph, or why the photograph cannot be read."""
    try:
        identity = photograph[0].photograph or digest(read_bytes(photograph[0].image))
    except ImageError as error:
        return [LeftOut(crop.key, error.reason) for crop in photograph]
    return [replace(crop, photograph=identity) for crop in photograph]


NOISES = 64
"""Different noises, which the synthetic crops take in turn."""


def synthetic_dataset(train: int, val: int, input_size: int, classes: int = 6, seed: int = 0) -> Dataset:
    """A data set in memory whose classes differ in their mean colour; its `val` crops are the test split too.

    Raises:
        ConfigError: a number below 1.
    """
    for name, value in (("train", train), ("val", val), ("input_size", input_size), ("classes", classes)):
        require(value >= 1, name, value, "must be at least 1")
    count = train + val
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    images = rng.integers(0, 56, (NOISES, input_size, input_size, 3), "uint8")[np.arange(count) % NOISES]
    colours = rng.integers(0, 160, (classes, 1, 1, 3), "uint8")
    images += colours[labels] + rng.integers(0, 40, (count, 1, 1, 3), "uint8")
    crops = tuple(Crop(Path(f"synthetic-{i}.png"), None, int(label), str(i)) for i, label in enumerate(labels))
    return Dataset(
        name=f"{count} synthetic crops",
        classes=tuple(f"class {number}" for number in range(classes)),
        crops=crops,
        images=images,
        labels=labels.astype("int64"),
        groups=np.arange(count).astype(str),
        sizes=np.full((count, 2), input_size),
        splits={"train": np.arange(train), "val": np.arange(train, count), "test": np.arange(train, count)},
        left_out=(),
        fingerprint=f"synthetic-{train}-{val}-{input_size}-{classes}-{seed}",
        input_size=input_size,
    )


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
    """A row for each class, then one for all.

    Each has `name`, `splits` (crops in each), `crops`, `photographs`, `tiny`, and, where there are crops, `width` and
    `height` in pixels (`min`, `median` and `max`; 0 where unknown).
    """
    masks = [(name, counted.labels == label) for label, name in enumerate(counted.classes)]
    rows = []
    for name, mine in (*masks, ("all", np.ones(len(counted.labels), dtype=bool))):
        splits = {split: int(np.sum(counted.splits[mine] == split)) for split in SPLITS}
        sizes, photographs = counted.sizes[mine], len(np.unique(counted.groups[mine]))
        tiny = int(np.sum((sizes.min(axis=1) > 0) & (sizes.min(axis=1) < TINY)))
        rows.append({"name": name, "splits": splits, "crops": len(sizes), "photographs": photographs, "tiny": tiny})
        for side, values in zip(("width", "height"), sizes.T if len(sizes) else (), strict=False):
            rows[-1][side] = {"min": int(values.min()), "median": float(np.median(values)), "max": int(values.max())}
    return rows


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Counts by class and split, crop sizes in pixels, and everything left out by reason; ready for JSON."""
    rows = class_counts(counted_dataset(dataset))
    *classes, (_, everything) = [(row.pop("name"), row.pop("splits") | row) for row in rows]
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
