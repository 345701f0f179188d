"""Cuts of channels: groups scored by their weights, ordered by what a cut costs and saves, and carried out."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from kerastrash.compress.channels import ChannelGroups, WeightedLayer
from kerastrash.compress.config import Criterion
from kerastrash.compress.costs import Cost, RunningCosts
from kerastrash.models.builder import copy_layer


def group_scores(model: keras.Model, groups: ChannelGroups, criterion: Criterion) -> np.ndarray:
    """Float64 (groups,), at least 0: the mean of the criterion over the layers that a group passes.

    `bn_scale`: absolute scale of the batch norms (Network Slimming, Liu et al. 2017, arXiv:1708.06519); `l2` for groups
    that pass none. `l2`: norm of the filters that make the channel (Li et al. 2017, arXiv:1608.08710, there l1).
    """
    first = {one: model.get_layer(one.layer.name).get_weights()[0] for one in groups.layers}
    kernels = {one: weight.astype("float64") for one, weight in first.items() if one.makes_channels}
    # by output: a kernel is (..., in, out), a depthwise one (height, width, in, multiplier)
    norms = {one: np.linalg.norm(kernel.reshape(-1, len(one.leaving)), axis=0) for one, kernel in kernels.items()}
    filters = _mean(groups, norms)
    if criterion == "l2":
        return np.nan_to_num(filters)
    scaled = {one: np.abs(weight) for one, weight in first.items() if not one.makes_channels and one.layer.scale}
    scales = _mean(groups, scaled)
    return np.nan_to_num(np.where(np.isnan(scales), filters, scales))


def _mean(groups: ChannelGroups, values: Mapping[WeightedLayer, np.ndarray]) -> np.ndarray:
    """The mean over layers of what each says of the channels that leave it, by group; NaN for groups in none."""
    total, count = np.zeros(groups.count), np.zeros(groups.count)
    for one, value in values.items():
        np.add.at(total, one.leaving, value)
        np.add.at(count, one.leaving, 1)
    return np.divide(total, count, out=np.full(groups.count, np.nan), where=count > 0)


@dataclass(frozen=True)
class Cuts:
    """All cuts in the order in which they are made, down to the narrowest net."""

    numbers: np.ndarray
    """Int (groups,): the cut, from 0, with which a group goes; how many cuts there are where it never does."""
    costs: np.ndarray
    """Int64 (cuts + 1,): what the net costs after none, one, two ... of them."""

    def kept(self, count: int) -> np.ndarray:
        """Bool (groups,): what is left after the first `count` cuts."""
        return self.numbers >= count


def order_cuts(groups: ChannelGroups, scores: np.ndarray, cost: Cost, multiple: int) -> Cuts:
    """Puts all cuts in order: the one with the lowest price for what it saves, given those before it, comes next.

    A cut takes the lowest groups of one set, so many that its width becomes the next multiple of `multiple`; none takes
    a set below that. Its price is the share of the set's remaining score that goes, once for each convolution or dense
    layer that makes these channels, for a channel of a residual sum is made by many; depthwise convolutions and gates,
    which come with others, do not count. Shares, not scores, let sets compare, and prices rise while a set narrows:
    where all channels score alike, sets that cost alike narrow alike.
    """
    running = RunningCosts(groups, cost)
    queues = [Queue(members, scores, groups) for members in groups.sets]
    numbers, costs = np.full(groups.count, -1), [running.total]
    while True:
        sizes = np.array([queue.next_cut(multiple) for queue in queues], int)
        prices = np.array([queue.price(size) for queue, size in zip(queues, sizes, strict=True)])
        saved = running.saved(sizes)
        rates = np.divide(prices, saved, out=np.full(len(queues), np.inf), where=saved > 0)
        if not np.isfinite(rates).any():
            return Cuts(np.where(numbers < 0, len(costs) - 1, numbers), np.array(costs, "int64"))
        cheapest = int(rates.argmin())
        running.remove(cheapest, sizes[cheapest])
        numbers[queues[cheapest].take(sizes[cheapest])] = len(costs) - 1
        costs.append(running.total)


class Queue:
    """The groups of a set in the order in which they go: the lowest score first."""

    def __init__(self, members: np.ndarray, scores: np.ndarray, groups: ChannelGroups) -> None:
        self.members, self.gone = members[np.argsort(scores[members], kind="stable")], 0
        self.remaining = np.append(np.cumsum(scores[self.members][::-1])[::-1], 0)
        """Float64 (groups + 1,): the sum of the scores when so many have gone."""
        makers = [one for one in groups.layers if one.makes_channels and members[0] in one.leaving]
        pixels = [one.pixels for one in makers if not isinstance(one.layer, layers.DepthwiseConv2D)]
        self.makers = sum(count > 1 for count in pixels) or len(pixels)
        """Layers that make these channels; gates, which work on one pixel, only if no others do."""

    def next_cut(self, multiple: int) -> int:
        """How many go next; 0 where the set is as narrow as it may be."""
        width = len(self.members) - self.gone
        return (width % multiple or multiple) if width > multiple else 0

    def price(self, cut: int) -> float:
        """What removing so many costs: makers times the share of the remaining score."""
        left = self.remaining[self.gone]
        return self.makers * (left - self.remaining[self.gone + cut]) / left if left else 0.0

    def take(self, cut: int) -> np.ndarray:
        """Removes so many and returns them."""
        self.gone += cut
        return self.members[self.gone - cut : self.gone]


def narrow(model: keras.Model, groups: ChannelGroups, kept: np.ndarray) -> keras.Model:
    """Builds the model anew with the groups where `kept`, bool (groups,), is true; layers keep their names.

    With all of them it gives the same logits bit by bit.
    """
    weighted = {one.layer.name: one for one in groups.layers}

    def narrower(layer: keras.Operation) -> keras.Operation:
        width = int(kept[weighted[layer.name].leaving].sum()) if layer.name in weighted else 0
        if isinstance(layer, layers.Dense):
            return copy_layer(layer, units=width)
        if isinstance(layer, layers.Conv2D):
            return copy_layer(layer, filters=width)
        return copy_layer(layer)  # the others are as wide as what enters them

    functional = keras.Model(model.input, model.output, name=model.name)
    found = keras.models.clone_model(functional, clone_function=narrower)
    for name, one in weighted.items():
        entering, leaving = kept[one.entering], kept[one.leaving]
        made = slice(None) if isinstance(one.layer, layers.DepthwiseConv2D) else leaving
        # a kernel is (..., in, out), a depthwise one (height, width, in, multiplier), all else (out,)
        values = [
            value[leaving] if value.ndim == 1 else value[..., entering, :][..., made]
            for value in model.get_layer(name).get_weights()
        ]
        found.get_layer(name).set_weights(values)
    return found


def widths(model: keras.Model) -> dict[str, int]:
    """Channels that leave each convolution and dense layer, by the layer's name, in the order of the net.

    Depthwise convolutions are left out: they are as wide as what enters them.
    """
    makers = (layers.Conv2D, layers.Dense)
    return {layer.name: int(layer.output.shape[-1]) for layer in model.layers if isinstance(layer, makers)}
