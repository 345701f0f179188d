"""Divides crops into train, val and test: stratified by class, and never one photograph on two sides."""

import warnings
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from kerastrash.data.records import SPLITS, Crop, LeftOut
from kerastrash.errors import DataError

LEAK_ORDER = ("test", "val", "train")
"""Where a source gives one photograph to several sides, the first of these keeps it: what is measured stays whole."""


def split_crops(
    name: str,
    classes: Sequence[str],
    crops: Sequence[Crop],
    labels: np.ndarray,
    groups: np.ndarray,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 2021,
) -> tuple[dict[str, np.ndarray], tuple[LeftOut, ...]]:
    """Indices of each side, ascending int64, and the crops left out because their photograph stands on another side.

    Sides that the source fixes stay as they are; a missing `test` or `val` is taken from the crops that are left,
    of which `validation` and `test` are shares. Folds come from scikit-learn's StratifiedGroupKFold; those nearest to
    the wanted share of every class are taken.

    Args:
        labels: int64 (n,), the class of each crop.
        groups: str (n,), the photograph of each crop.

    Raises:
        DataError: a class cannot stand on all three sides.
    """
    sides, left_out = _given_sides(crops, groups)
    carved = [side for side in ("test", "val") if side not in sides]
    _check_photographs(name, classes, labels, groups, sides, carved)
    remaining = 1.0
    for side, share in (("test", test), ("val", validation)):
        if side in carved:
            free = np.flatnonzero(sides == "train")
            chosen = _nearest_folds(labels[free], groups[free], share / remaining, seed)
            sides[free[chosen]] = side
            remaining -= share
    if carved:
        _fill_absent(sides, labels, groups, len(classes), (*carved, "train"))
    _check_every_class(name, classes, labels, groups, sides)
    return {side: np.flatnonzero(sides == side).astype(np.int64) for side in SPLITS}, left_out


def _given_sides(crops: Sequence[Crop], groups: np.ndarray) -> tuple[np.ndarray, tuple[LeftOut, ...]]:
    """The side of each crop as the source gives it (`train` where it gives none); empty for a leak."""
    sides = np.array([crop.split or "train" for crop in crops], dtype="<U5")
    keeper: dict[str, str] = {}
    for side, group in zip(sides.tolist(), groups.tolist(), strict=True):
        keeper[group] = min(side, keeper.get(group, side), key=LEAK_ORDER.index)
    left_out = []
    for index, (side, group) in enumerate(zip(sides.tolist(), groups.tolist(), strict=True)):
        if side != keeper[group]:
            left_out.append(LeftOut(crops[index].key, f"the same photograph stands in {keeper[group]}"))
            sides[index] = ""
    return sides, tuple(left_out)


def _nearest_folds(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Mask of the folds that together come nearest to `share` of every class."""
    counts = np.bincount(labels)
    folds = max(2, min(Fraction(share).limit_denominator(20).denominator, int(counts.max())))
    take = min(folds - 1, max(1, round(share * folds)))
    fold_of = np.empty(len(labels), dtype=np.int64)
    from kerastrash.data.folds import Folds  # scikit-learn is half a second of imports, for a new split only

    splitter = Folds(folds, shuffle=True, random_state=seed)
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


def _fill_absent(sides: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, free: Sequence[str]) -> None:
    """Moves a photograph of every class that a free side lacks to that side, from one that can spare it."""
    for side in free:
        for label in range(classes):
            if not np.any((sides == side) & (labels == label)):
                group = _spare_photograph(sides, labels, groups, label, [other for other in free if other != side])
                if group is not None:
                    sides[(groups == group) & (sides != "")] = side


def _spare_photograph(
    sides: np.ndarray, labels: np.ndarray, groups: np.ndarray, label: int, donors: Sequence[str]
) -> str | None:
    """The smallest photograph with the class whose side keeps all its classes without it."""
    spare = []
    for donor in donors:
        on_side = sides == donor
        for group in np.unique(groups[on_side & (labels == label)]):
            members = on_side & (groups == group)
            if np.isin(labels[members], labels[on_side & ~members]).all():
                spare.append((int(members.sum()), str(group)))
    return min(spare)[1] if spare else None


def _check_photographs(
    name: str, classes: Sequence[str], labels: np.ndarray, groups: np.ndarray, sides: np.ndarray, carved: Sequence[str]
) -> None:
    """A class needs a photograph of its own for each side that is still to be filled."""
    for label, class_name in enumerate(classes):
        mine = (labels == label) & (sides == "train")
        if len(np.unique(groups[mine])) <= len(carved):
            where = f"train, {' and '.join(reversed(carved))}" if carved else "train"
            raise _too_few(name, class_name, labels == label, groups, f"too few to stand in {where}")


def _check_every_class(
    name: str, classes: Sequence[str], labels: np.ndarray, groups: np.ndarray, sides: np.ndarray
) -> None:
    for side in SPLITS:
        for label, class_name in enumerate(classes):
            if not np.any((sides == side) & (labels == label)):
                raise _too_few(name, class_name, labels == label, groups, f"but none of them in {side}")


def _too_few(name: str, class_name: str, mine: np.ndarray, groups: np.ndarray, problem: str) -> DataError:
    crops, photographs = int(mine.sum()), len(np.unique(groups[mine]))
    return DataError(
        f"{name}: class {class_name!r} has {crops} crop(s) on {photographs} photograph(s), {problem}; "
        "add photographs of it (three or more), or leave the class out"
    )
