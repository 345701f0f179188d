"""Pictures that stand more than once, equal or alike: under one label, under two, or in two splits."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerastrash.data.checks.findings import Finding, Item, repeated
from kerastrash.data.checks.scan import Look, Sighting
from kerastrash.data.records import grouped

CORRELATION = 0.9
"""Least correlation of the thumbnails of a pair. It ignores brightness and contrast, and sees colour."""
ASPECT = 1.1
"""Largest ratio of the aspect ratios of a pair: a hash is taken of the picture squeezed to a square."""
MOST_PAIRS = 20_000
"""The search stops there: a set of that many pairs is one to look at by other means."""
BLOCK = 2**22
"""Hash comparisons held in memory at once. Comparing all with all is exact and takes 2.6 s at 30,000 pictures, where
scikit-learn's BallTree takes two minutes for the same pairs: random hashes all lie about equally far apart."""
VERIFIED = 4096
"""Candidate pairs verified at once."""

Pair = tuple[Sighting, Sighting]


@dataclass(frozen=True)
class NearPair:
    """Two of the looks by their index, the bits in which their hashes differ, and the correlation of the thumbnails."""

    first: int
    second: int
    bits: int
    correlation: float


def duplicate_findings(photographs: Sequence[Sighting], crops: Sequence[Sighting], near: int) -> list[Finding]:
    """Every finding on equal and nearly equal pictures; `near` is the number of differing bits of 64 that passes."""
    whole, cut = repeated(photographs, _pixels), repeated(crops, _pixels)
    conflicts = [group for group in (*whole, *cut) if len(_union(group, "labels")) > 1]
    leaks = _leaks([*whole, *repeated(photographs, lambda sighting: sighting.photograph.identity), *cut])
    graver = {id(sighting) for group in (*conflicts, *leaks) for sighting in group}
    files: dict[str, list[Item]] = {"same_file": [], "same_pixels": []}
    for group in whole:
        if not graver.issuperset(map(id, group)):
            one_file = len({sighting.photograph.file for sighting in group}) == 1
            files["same_file" if one_file else "same_pixels"].append(_item(group))
    rest = [group for group in cut if not graver.issuperset(map(id, group)) and not _copies_of_one_crop(group)]
    return [
        Finding("conflict", [_item(group) for group in conflicts]),
        Finding("leak", [_item(group, _where(group)) for group in leaks]),
        *(Finding(kind, items) for kind, items in files.items()),
        Finding("same_crop", [_item(group) for group in rest]),
        *_near_findings(photographs, crops, near),
        Finding("flat", [_item([one]) for one in (*photographs, *crops) if one.look.flat]),
    ]


def _pixels(sighting: Sighting) -> Hashable:
    """What makes two pictures the same. Cuts of one colour are the same only where the photograph is:
    a black corner is no copy of another black corner."""
    if sighting.picture.crop.box is not None and sighting.look.flat:
        return sighting.look.pixels, sighting.photograph.file, sighting.picture.crop.box
    return sighting.look.pixels


def _leaks(groups: Sequence[Sequence[Sighting]]) -> list[Sequence[Sighting]]:
    """The groups of equal pictures that stand in several splits, less those of photographs that are in one before."""
    leaks: list[Sequence[Sighting]] = []
    leaking: set[int] = set()
    for group in filter(_is_leak, groups):
        members = {id(sighting.photograph) for sighting in group}
        if not members <= leaking:
            leaks.append(group)
        leaking |= members
    return leaks


def _union(group: Sequence[Sighting], which: str) -> set[Any]:
    """All `labels`, `given` or `own` splits of the group."""
    return set().union(*(getattr(sighting, which) for sighting in group))


def _is_leak(group: Sequence[Sighting]) -> bool:
    return len(_union(group, "given")) > 1 or len(_union(group, "own")) > 1


def _where(group: Sequence[Sighting]) -> str:
    given, own = sorted(_union(group, "given")), sorted(_union(group, "own"))
    if len(given) > 1 and len(own) == 1:
        return f"in {' and '.join(given)} as the source gives them; the prepared data keep only the copy in {own[0]}"
    if len(given) > 1 and own:
        return f"in {' and '.join(given)} as the source gives them; both stay there, because the files differ"
    if len(given) > 1:
        return f"in {' and '.join(given)} as the source gives them"
    return f"in {' and '.join(own)} of the split made here: the files differ, the pixels do not"


def _copies_of_one_crop(group: Sequence[Sighting]) -> bool:
    """Whether the crops are equal only because their photographs are, which is said of those."""
    photographs = {id(sighting.photograph): sighting.photograph.look.pixels for sighting in group}
    return len(photographs) == len(group) and len(set(photographs.values())) == 1


def _near_findings(photographs: Sequence[Sighting], crops: Sequence[Sighting], near: int) -> list[Finding]:
    pairs, stopped = _verified(photographs, near)
    alike = {frozenset(sighting.look.pixels for sighting in pair) for pair, _ in pairs}
    crop_pairs, crops_stopped = _verified(crops, near)
    for pair, measured in crop_pairs:
        first, second = (sighting.photograph for sighting in pair)
        pixels = frozenset((first.look.pixels, second.look.pixels))
        if first is second or (len(pixels) > 1 and pixels not in alike):
            pairs.append((pair, measured))
    found: dict[str, list[Item]] = {"near_conflict": [], "near_leak": [], "near_duplicate": []}
    for pair, measured in pairs:
        item = _item(pair, f"{measured.bits} bits, correlation {measured.correlation:.2f}")
        conflict, leak = len(_union(pair, "labels")) > 1, _is_leak(pair)
        if conflict:
            found["near_conflict"].append(item)
        if leak:
            found["near_leak"].append(item)
        if not (conflict or leak):
            found["near_duplicate"].append(item)
    detail = (
        f"Perceptual hashes (phash) that differ in at most {near} of 64 bits, and 16 x 16 thumbnails with a "
        f"correlation of at least {CORRELATION}."
    )
    if stopped or crops_stopped:
        detail += f" The search stopped at {MOST_PAIRS:,} pairs: there are more."
    return [Finding(kind, items, detail) for kind, items in found.items()]


def _verified(sightings: Sequence[Sighting], near: int) -> tuple[list[tuple[Pair, NearPair]], bool]:
    """Near pairs among the different pictures that a hash can tell apart, and whether there are more."""
    different = [first for first, *_ in grouped(sightings, _pixels).values() if first.look.comparable]
    pairs = near_pairs([sighting.look for sighting in different], near)
    return [((different[pair.first], different[pair.second]), pair) for pair in pairs], len(pairs) == MOST_PAIRS


def _item(group: Sequence[Sighting], note: str = "") -> Item:
    pictures = tuple(sighting.picture for sighting in group)
    return Item(tuple(picture.name for picture in pictures), note, pictures)


def near_pairs(looks: Sequence[Look], near: int) -> list[NearPair]:
    """The pairs that differ in at most `near` of 64 bits and pass the verification: the nearest first.

    At most MOST_PAIRS of them; memory stays bounded for any number of looks. 100,000 take 5e9 comparisons.
    """
    if not looks:
        return []
    thumbnails = np.stack([look.thumbnail for look in looks])
    aspects = np.log([look.size[0] / look.size[1] for look in looks])
    pairs: list[NearPair] = []
    for first, second, bits in _candidates(np.array([look.hash for look in looks], np.uint64), near):
        correlation = _correlation(thumbnails[first], thumbnails[second])
        alike = (correlation >= CORRELATION) & (np.abs(aspects[first] - aspects[second]) <= np.log(ASPECT))
        columns = (array[alike].tolist() for array in (first, second, bits, correlation))
        pairs += (NearPair(*values) for values in zip(*columns, strict=True))
        if len(pairs) >= MOST_PAIRS:
            break
    return sorted(pairs[:MOST_PAIRS], key=lambda pair: (pair.bits, -pair.correlation, pair.first, pair.second))


def _candidates(hashes: np.ndarray, near: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Indices (first < second) and differing bits of the pairs within `near` bits, some thousands at a time."""
    rows = max(1, BLOCK // len(hashes))
    for start in range(0, len(hashes), rows):
        block = hashes[start : start + rows]
        bits = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        first, second = np.nonzero(bits <= near)
        upper = first < second
        first, second = first[upper], second[upper]
        for part in range(0, len(first), VERIFIED):
            one, other = first[part : part + VERIFIED], second[part : part + VERIFIED]
            yield one + start, other + start, bits[one, other]


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of uint8 (n, ...) arrays, pair by pair; all channels share one mean."""
    one, other = (array.reshape(len(array), -1).astype(np.float32) for array in (first, second))
    one, other = (flat - flat.mean(axis=1, keepdims=True) for flat in (one, other))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.sum(one * other, axis=1) / np.maximum(norms, 1e-6)
