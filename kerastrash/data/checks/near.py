"""Pairs of pictures that look alike: a search over perceptual hashes, each hit verified on the thumbnails."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kerastrash.console import track
from kerastrash.data.checks.scan import Look

CORRELATION = 0.9
"""Least correlation of the thumbnails of a pair. It ignores brightness and contrast, and sees colour."""
ASPECT = 1.1
"""Largest ratio of the aspect ratios of a pair: a hash is taken of the picture squeezed to a square."""
MOST_PAIRS = 20_000
"""The search stops there: a set of that many pairs is one to look at by other means."""
BLOCK = 2**22
"""Hash comparisons held in memory at once."""
VERIFIED = 4096
"""Candidate pairs verified at once."""


@dataclass(frozen=True)
class NearPair:
    """Two of the looks by their place, the bits in which their hashes differ, and the correlation of the thumbnails."""

    first: int
    second: int
    bits: int
    correlation: float


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
    """Places (first < second) and differing bits of the pairs within `near` bits, some thousands at a time."""
    rows = max(1, BLOCK // len(hashes))
    starts = range(0, len(hashes), rows)
    for start in track(starts, "Comparing", unit="blocks") if len(starts) > 1 else starts:
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
    one, other = (_centred(array) for array in (first, second))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.sum(one * other, axis=1) / np.maximum(norms, 1e-6)


def _centred(thumbnails: np.ndarray) -> np.ndarray:
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    return flat - flat.mean(axis=1, keepdims=True)
