"""Crops divided into train, val and test: stratified by class, never one photograph in two splits, kept in a file."""

import contextlib
import functools
import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from kerastrash.data.records import SPLITS, Crop, LeftOut
from kerastrash.errors import DataError, FileError
from kerastrash.files import read_json, write_json

VERSION = 1
"""Number of a kept file; it changes with the way crops are divided."""

LEAK_ORDER = ("test", "val", "train")
"""The first of these keeps a photograph that a source gives to several splits: what is measured stays whole."""
Split = tuple[dict[str, np.ndarray], tuple[LeftOut, ...]]
"""`train`, `val`, `test` -> ascending int64 indices, and the crops left out because they would leak."""


def kept_split(path: Path, count: int, compute: Callable[[], Split]) -> Split:
    """Reads the split in the file; computes and keeps it where there is none, or it is not one of `count` crops.

    Computing takes scikit-learn 4 s for 26,000 crops and 17 s for 100,000. A cache that cannot be written is no
    error: the split is then computed each time.
    """
    with contextlib.suppress(FileError, KeyError, TypeError, ValueError):
        record = read_json(path)
        kept = {name: np.asarray(record[name], dtype=np.int64) for name in SPLITS}
        within = all(len(held) and 0 <= held.min() <= held.max() < count for held in kept.values())
        if within and (record["version"], record["crops"]) == (VERSION, count):
            return kept, tuple(LeftOut(*item) for item in record["left_out"])
    indices, left_out = compute()
    record = {"version": VERSION, "crops": count, "left_out": [(item.what, item.reason) for item in left_out]}
    with contextlib.suppress(FileError):
        write_json(path, record | {name: held.tolist() for name, held in indices.items()})
    return indices, left_out


def split_crops(
    name: str,
    classes: Sequence[str],
    crops: Sequence[Crop],
    labels: np.ndarray,
    groups: np.ndarray,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 2021,
) -> Split:
    """Divides the crops, and leaves out those whose photograph stands in another split.

    Splits that the source fixes stay as they are; a missing `test` or `val` is taken from the crops that are left,
    of which `validation` and `test` are shares. Folds come from scikit-learn's StratifiedGroupKFold; those nearest to
    the wanted share of every class are taken.

    Args:
        labels: int64 (n,), the class of each crop.
        groups: str (n,), the photograph of each crop.

    Raises:
        DataError: a class cannot stand in all three splits.
    """
    split_of, left_out = _given_splits(crops, groups)
    carved = [split for split in ("test", "val") if split not in split_of]
    check = functools.partial(_require, labels, groups, name=name, classes=classes)
    where = f"train, {' and '.join(reversed(carved))}" if carved else "train"
    check(split_of == "train", len(carved) + 1, fault=f"too few to stand in {where}")  # one of its own for each
    remaining = 1.0
    for split, share in (("test", test), ("val", validation)):
        if split in carved:
            free = np.flatnonzero(split_of == "train")
            chosen = _nearest_folds(labels[free], groups[free], share / remaining, seed)
            split_of[free[chosen]] = split
            remaining -= share
    if carved:
        _fill_absent(split_of, labels, groups, len(classes), (*carved, "train"))
    for split in SPLITS:
        check(split_of == split, 1, fault=f"but none of them in {split}")
    return {split: np.flatnonzero(split_of == split).astype(np.int64) for split in SPLITS}, left_out


def _given_splits(crops: Sequence[Crop], groups: np.ndarray) -> tuple[np.ndarray, tuple[LeftOut, ...]]:
    """The split of each crop as the source gives it (`train` where it gives none); empty for a leak."""
    split_of = np.array([crop.split or "train" for crop in crops], dtype="<U5")
    keeper: dict[str, str] = {}
    for split, group in zip(split_of.tolist(), groups.tolist(), strict=True):
        keeper[group] = min(split, keeper.get(group, split), key=LEAK_ORDER.index)
    left_out = []
    for index, (split, group) in enumerate(zip(split_of.tolist(), groups.tolist(), strict=True)):
        if split != keeper[group]:
            left_out.append(LeftOut(crops[index].key, f"the same photograph stands in {keeper[group]}"))
            split_of[index] = ""
    return split_of, tuple(left_out)


def _nearest_folds(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Mask of the folds that together come nearest to `share` of every class."""
    counts = np.bincount(labels)
    folds = max(2, min(Fraction(share).limit_denominator(20).denominator, int(counts.max())))
    take = min(folds - 1, max(1, round(share * folds)))
    fold_of = np.empty(len(labels), dtype=np.int64)
    from sklearn.model_selection import StratifiedGroupKFold  # half a second of imports, for a new split only

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # checked and mended by class here
        for number, (_, held) in enumerate(splitter.split(labels, labels, groups)):
            fold_of[held] = number
    masks = [(fold_of - start) % folds < take for start in range(folds)]
    present = np.flatnonzero(counts)

    def distance(mask: np.ndarray) -> float:
        held = np.bincount(labels[mask], minlength=len(counts))
        return float(np.abs(held[present] / counts[present] - share).sum())

    return min(masks, key=distance)


def _fill_absent(
    split_of: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, free: Sequence[str]
) -> None:
    """Moves a photograph of every class that a free split lacks to that split, from one that can spare it."""
    for split in free:
        for label in range(classes):
            if not np.any((split_of == split) & (labels == label)):
                group = _spare_photograph(split_of, labels, groups, label, [other for other in free if other != split])
                if group is not None:
                    split_of[(groups == group) & (split_of != "")] = split


def _spare_photograph(
    split_of: np.ndarray, labels: np.ndarray, groups: np.ndarray, label: int, donors: Sequence[str]
) -> str | None:
    """The smallest photograph with the class whose split keeps all its classes without it."""
    spare = []
    for donor in donors:
        inside = split_of == donor
        for group in np.unique(groups[inside & (labels == label)]):
            members = inside & (groups == group)
            if np.isin(labels[members], labels[inside & ~members]).all():
                spare.append((int(members.sum()), str(group)))
    return min(spare)[1] if spare else None


def _require(
    labels: np.ndarray,
    groups: np.ndarray,
    inside: np.ndarray,
    least: int,
    name: str,
    classes: Sequence[str],
    fault: str,
) -> None:
    """Raises DataError where a class has fewer than `least` photographs among the crops `inside`."""
    for label, class_name in enumerate(classes):
        mine = labels == label
        if len(np.unique(groups[mine & inside])) < least:
            crops, photographs = int(mine.sum()), len(np.unique(groups[mine]))
            raise DataError(
                f"{name}: class {class_name!r} has {crops} crop(s) on {photographs} photograph(s), {fault}; "
                "add photographs of it (three or more), or leave the class out"
            )
