"""The order in which an epoch takes the crops, a function of (seed, epoch)."""

from typing import Literal

import numpy as np

Sampler = Literal["shuffle", "balanced"]
ORDER = 0  # what this stream of random numbers is for, the fourth word of its seed


def epoch_order(labels: np.ndarray, seed: int, epoch: int, sampler: Sampler | None) -> np.ndarray:
    """Places in `labels`, int64 (n,), in the order of one epoch.

    Args:
        labels: int (n,), the class of each crop.
        sampler: None takes the crops as they stand; `shuffle` each once in a new order; `balanced` as many of every
            class, so that each crop of a small class comes several times and not every crop of a large one comes.
    """
    count = len(labels)
    if sampler is None:
        return np.arange(count)
    rng = np.random.default_rng((seed, epoch, 0, ORDER))
    return rng.permutation(count) if sampler == "shuffle" else _balanced(labels, rng)


def _balanced(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every class gets its share of n, drawn by whole rounds: no crop comes twice more often than another of its class.

    What does not divide evenly goes to classes drawn at random.
    """
    classes = np.unique(labels)
    share, rest = divmod(len(labels), len(classes))
    wanted = np.full(len(classes), share)
    wanted[rng.permutation(len(classes))[:rest]] += 1
    drawn = []
    for label, number in zip(classes, wanted, strict=True):
        members = np.flatnonzero(labels == label)
        rounds = -(-number // len(members))
        drawn.append(np.concatenate([rng.permutation(members) for _ in range(rounds)])[:number])
    return rng.permutation(np.concatenate(drawn))
