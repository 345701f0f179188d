"""What a functional model costs, from its layers: multiply-accumulates and parameters, for any widths.

Each weighted layer costs `unit x channels that enter x channels that leave`, where a depthwise convolution and a vector
of weights (biases, batch norms) count as if one channel entered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
from keras import layers

from kerastrash.compress.channels import ChannelGroups, WeightedLayer, channel_groups

Cost = Literal["macs", "parameters"]


@dataclass(frozen=True)
class Term:
    """One product in the sum that a net costs."""

    unit: int
    entering: np.ndarray | None
    """Groups of the channels that enter, int (channels,); None counts as one."""
    leaving: np.ndarray

    def cost(self, kept: np.ndarray) -> int:
        """The product over the groups where `kept`, bool (groups,), is true."""
        entering = 1 if self.entering is None else int(kept[self.entering].sum())
        return self.unit * entering * int(kept[self.leaving].sum())


def model_macs(model: keras.Model) -> int:
    """Multiply-accumulates of one image: convolutions and dense layers, as papers count; `kerastrash.models.macs`.

    Raises:
        ModelError: the model is no functional one, or has a layer that is not understood.
    """
    return _whole_cost(model, "macs")


def model_parameters(model: keras.Model) -> int:
    """Trainable parameters, frozen or not, as `kerastrash.models.parameters` counts: no batch-norm statistics.

    Raises:
        ModelError: the model is no functional one, or has a layer that is not understood.
    """
    return _whole_cost(model, "parameters")


def cost_terms(groups: ChannelGroups, cost: Cost) -> tuple[Term, ...]:
    """The terms of all layers of a net."""
    terms = _macs if cost == "macs" else _parameters
    return tuple(term for layer in groups.layers for term in terms(layer))


def _whole_cost(model: keras.Model, cost: Cost) -> int:
    groups = channel_groups(model)
    return sum(term.cost(np.ones(groups.count, bool)) for term in cost_terms(groups, cost))


def _macs(one: WeightedLayer) -> Iterator[Term]:
    if one.makes_channels:
        yield _kernel(one, one.pixels)


def _parameters(one: WeightedLayer) -> Iterator[Term]:
    if one.makes_channels:
        yield _kernel(one, 1)
        vectors = int(one.layer.use_bias)
    else:
        vectors = int(one.layer.scale) + int(one.layer.center)
    yield Term(vectors, None, one.leaving)


def _kernel(one: WeightedLayer, times: int) -> Term:
    """The kernel of a convolution, (height, width, in, out), or of a dense layer, (in, out)."""
    area = int(np.prod(one.layer.kernel.shape[:-2], dtype=int))
    depthwise = isinstance(one.layer, layers.DepthwiseConv2D)
    return Term(area * times, None if depthwise else one.entering, one.leaving)


class RunningCosts:
    """What a net costs while its sets of groups narrow, and what each further cut would save.

    The groups of a set pass the same layers, each in the same number of channels: so counts are enough.
    """

    def __init__(self, groups: ChannelGroups, terms: Sequence[Term]) -> None:
        self._units = np.array([term.unit for term in terms], "int64")
        self._entering = np.array([1 if term.entering is None else len(term.entering) for term in terms], "int64")
        self._leaving = np.array([len(term.leaving) for term in terms], "int64")
        shape = (len(groups.sets), len(terms))
        self._per_entering, self._per_leaving = np.zeros(shape, "int64"), np.zeros(shape, "int64")
        for column, term in enumerate(terms):
            if term.entering is not None:
                self._per_entering[:, column] = _channels_a_group(groups, term.entering)
            self._per_leaving[:, column] = _channels_a_group(groups, term.leaving)

    @property
    def total(self) -> int:
        """What the net costs as it stands."""
        return int((self._units * self._entering * self._leaving).sum())

    def saved(self, cuts: np.ndarray) -> np.ndarray:
        """Int64 (sets,): what each set would save alone if `cuts`, int (sets,), of its groups went."""
        entering = self._entering - cuts[:, None] * self._per_entering
        leaving = self._leaving - cuts[:, None] * self._per_leaving
        return self.total - (self._units * entering * leaving).sum(axis=1)

    def remove(self, number: int, cut: int) -> None:
        """Takes `cut` groups out of the set of that number."""
        self._entering -= cut * self._per_entering[number]
        self._leaving -= cut * self._per_leaving[number]


def _channels_a_group(groups: ChannelGroups, channels: np.ndarray) -> np.ndarray:
    """Int (sets,): how many of these channels each group of a set has."""
    counts = np.bincount(channels, minlength=groups.count)
    return np.array([counts[members[0]] for members in groups.sets], "int64")
