"""The training images that quantisation looks at, and which convolutions become int8."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerastrash.data import SplitData
from kerastrash.errors import DataError
from kerastrash.export.format import OpenNet

BATCH = 8
"""Images that run at a time: a quantiser holds all maps of a batch in memory, about 70 MB an image at 156 px."""


@dataclass(frozen=True)
class Calibration:
    """Two draws of one part, without an image in common."""

    images: np.ndarray
    """uint8 (n, size, size, 3), RGB: the ranges are taken from these."""
    held_back: np.ndarray
    """uint8 (m, size, size, 3), RGB: the methods are compared on these."""


def draw_calibration(part: SplitData, count: int, seed: int) -> Calibration:
    """Draws `count` images for the ranges and as many to compare on; half of the part each where it has too few.

    Raises:
        DataError: the part has fewer than two images.
    """
    count = min(count, len(part) // 2)
    if not count:
        raise DataError(f"{len(part)} training images cannot be divided into two draws; add images")
    rows = np.asarray(part.indices)[balanced_order(part.labels, seed)[: 2 * count]]
    return Calibration(np.asarray(part.images[rows[:count]]), np.asarray(part.images[rows[count:]]))


def balanced_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Every index of `labels` once, int64, in a drawn order in which the classes take turns while they last."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turns = np.empty(len(order), "int64")
    for label in np.unique(labels):
        members = labels[order] == label
        turns[members] = np.arange(members.sum())
    return order[np.argsort(turns, kind="stable")]


def outputs(net: OpenNet, images: np.ndarray) -> np.ndarray:
    """Float32 (n, classes): what a net gives for images, run in batches."""
    return np.concatenate([net(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])


def divergence(expected: np.ndarray, found: np.ndarray, softmax: bool) -> float:
    """The mean Kullback-Leibler divergence, in nats, of what one net gives from what another gives; 0 where equal.

    It tells methods apart on a few hundred images, on which F1, a count of flips both ways, is mostly chance.

    Args:
        expected, found: (n, classes), outputs for the same images.
        softmax: whether they are probabilities already; otherwise logits.
    """
    wanted, given = _log_probabilities(expected, softmax), _log_probabilities(found, softmax)
    return float((np.exp(wanted) * (wanted - given)).sum(axis=1).mean())


def _log_probabilities(values: np.ndarray, softmax: bool) -> np.ndarray:
    if softmax:
        return np.log(np.maximum(values.astype("float64"), 1e-12))
    shifted = values.astype("float64") - values.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Int8File:
    """An int8 file, and by which method it was made."""

    method: str
    path: Path


def convolutions_to_quantise(names: Sequence[str]) -> Sequence[str]:
    """The convolutions, given in their order in the net, that become int8: all but the first.

    The first one reads the pixels: three channels, which cost little and on which all else depends. Sums, activations,
    gates and the classifier stay in float as well: see docs/quantisation.md for what they would lose.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(names) < 2:
        raise ValueError(f"it has {len(names)} convolutions, the first of which stays in float")
    return names[1:]
