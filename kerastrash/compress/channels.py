"""Which channels of a net stand or fall together, found in one walk over its layers.

Every channel of every map has a number. A convolution or dense layer makes new ones; what treats each channel by itself
hands them on; a sum or a product joins those at the same place, and a concatenation sets them side by side. Channels
that are joined are one group (DepGraph, Fang et al. 2023, arXiv:2301.12900): a group is kept or removed everywhere.
What mixes channels by their position (slices, reshapes: the channel shuffle) keeps the whole of what enters it.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kerastrash.compress.graph import Call, Graph
from kerastrash.errors import ModelError

BY_POSITION = ("GetItem", "Reshape", "Split", "Transpose")
"""Operations of `keras.ops`, whose classes Keras does not name in public."""


@dataclass(frozen=True, eq=False)
class WeightedLayer:
    """A layer with weights: which group each of its channels belongs to."""

    layer: keras.Layer
    """The graph's copy: settings and shapes."""
    entering: np.ndarray
    """int (channels,) of the tensor that enters."""
    leaving: np.ndarray
    """int (channels,) of the tensor that leaves."""
    pixels: int
    """Of the map that leaves; 1 for a vector."""

    @property
    def makes_channels(self) -> bool:
        """Whether this is a convolution, depthwise or not, or a dense layer; else a batch norm."""
        return not isinstance(self.layer, layers.BatchNormalization)


@dataclass(frozen=True)
class ChannelGroups:
    """A net's groups of channels, numbered from 0."""

    count: int
    layers: tuple[WeightedLayer, ...]
    sets: tuple[np.ndarray, ...]
    """The groups that may be removed, those of the same layers together: each int (groups,), ascending."""


@dataclass
class Ledger:
    """What one walk has noted so far."""

    channels: int = 0
    joined: list[np.ndarray] = field(default_factory=list)
    """Pairs of channels, int (2, n) each."""
    whole: list[np.ndarray] = field(default_factory=list)
    """Channels that are never removed."""

    def new(self, count: int) -> np.ndarray:
        """Numbers for `count` new channels."""
        self.channels += count
        return np.arange(self.channels - count, self.channels)

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """The channels at the same place stand or fall together."""
        self.joined.append(np.stack([first, second]))

    def keep(self, channels: np.ndarray) -> np.ndarray:
        """Marks channels as never to be removed, and returns them."""
        self.whole.append(channels)
        return channels


def channel_groups(graph: Graph) -> ChannelGroups:
    """Finds the groups; colour channels of the images and outputs of the net are always kept.

    Raises:
        ModelError: a layer that is not understood, named.
    """
    ledger, found, numbers = Ledger(), [], {}
    for tensor in graph.inputs:
        numbers[id(tensor)] = ledger.keep(ledger.new(tensor.shape[-1]))
    for call in graph.calls:
        entering = [numbers[id(tensor)] for tensor in call.entering]
        leaving = _follow(call, entering, ledger, graph.name)
        numbers |= {id(tensor): channels for tensor, channels in zip(call.leaving, leaving, strict=True)}
        if getattr(call.layer, "weights", ()):
            pixels = int(np.prod(call.leaving[0].shape[1:-1], dtype=int))
            found.append(WeightedLayer(call.layer, entering[0], leaving[0], pixels))
    for tensor in graph.outputs:
        ledger.keep(numbers[id(tensor)])
    return _grouped(ledger, found)


def _grouped(ledger: Ledger, found: Sequence[WeightedLayer]) -> ChannelGroups:
    pairs = np.concatenate([np.empty((2, 0), int), *ledger.joined], axis=1)
    links = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(ledger.channels,) * 2)
    count, group = connected_components(links, directed=False)
    weighted = tuple(WeightedLayer(one.layer, group[one.entering], group[one.leaving], one.pixels) for one in found)
    removable = np.ones(count, bool)
    removable[group[np.concatenate(ledger.whole)]] = False
    makers = np.zeros((len(weighted), count), bool)
    for row, layer in zip(makers, weighted, strict=True):
        row[layer.leaving] = True
    candidates = np.flatnonzero(removable)
    _, which = np.unique(makers[:, candidates], axis=1, return_inverse=True)
    sets = (candidates[which.ravel() == number] for number in range(which.max(initial=-1) + 1))
    return ChannelGroups(count, weighted, tuple(sets))


def _follow(call: Call, entering: list[np.ndarray], ledger: Ledger, name: str) -> list[np.ndarray]:
    """The channels of each tensor that leaves a call."""
    if isinstance(call.layer, BY_POSITION_LAYERS) or type(call.layer).__name__ in BY_POSITION:
        return _whole(call, entering, ledger)
    leaving = _leaving(call.layer, entering, call, ledger)
    if leaving is None:
        kind = type(call.layer).__name__
        raise ModelError(
            f"{name}: layer {call.layer.name} ({kind}) is not understood by pruning; give a net of convolutions, "
            "batch norms, sums and gates, channels last, as build_model makes them"
        )
    if getattr(call.layer, "activation", None) is keras.activations.softmax:  # every channel changes the others
        ledger.keep(leaving)
    return [leaving]


BY_POSITION_LAYERS = (layers.Reshape, layers.Permute, layers.Softmax)
"""Layers whose outputs hang on where a channel stands, or on which others there are."""


def _whole(call: Call, entering: list[np.ndarray], ledger: Ledger) -> list[np.ndarray]:
    for channels in entering:
        ledger.keep(channels)
    return [ledger.keep(ledger.new(tensor.shape[-1])) for tensor in call.leaving]


@functools.singledispatch
def _leaving(layer: object, entering: list[np.ndarray], call: Call, ledger: Ledger) -> np.ndarray | None:
    """The channels that leave a layer; None where the layer is not understood."""
    return None


@_leaving.register(layers.Conv2D)
@_leaving.register(layers.Dense)
def _(layer: layers.Layer, entering: list[np.ndarray], call: Call, ledger: Ledger) -> np.ndarray | None:
    understood = getattr(layer, "groups", 1) == 1 and _channels_last(layer)
    return ledger.new(call.leaving[0].shape[-1]) if understood else None


@_leaving.register
def _(layer: layers.DepthwiseConv2D, entering: list, call: Call, ledger: Ledger) -> np.ndarray | None:
    return np.repeat(entering[0], layer.depth_multiplier) if _channels_last(layer) else None


@_leaving.register
def _(layer: layers.BatchNormalization, entering: list, call: Call, ledger: Ledger) -> np.ndarray | None:
    return entering[0] if layer.axis in (-1, len(call.entering[0].shape) - 1) else None


@_leaving.register(layers.Activation)
@_leaving.register(layers.ReLU)
@_leaving.register(layers.LeakyReLU)
@_leaving.register(layers.Dropout)
@_leaving.register(layers.Identity)
@_leaving.register(layers.SpatialDropout2D)
@_leaving.register(layers.MaxPooling2D)
@_leaving.register(layers.AveragePooling2D)
@_leaving.register(layers.GlobalAveragePooling2D)
@_leaving.register(layers.GlobalMaxPooling2D)
@_leaving.register(layers.ZeroPadding2D)
@_leaving.register(layers.Cropping2D)
@_leaving.register(layers.UpSampling2D)
def _(layer: layers.Layer, entering: list, call: Call, ledger: Ledger) -> np.ndarray | None:
    return entering[0] if _channels_last(layer) else None


@_leaving.register
def _(layer: layers.Rescaling, entering: list, call: Call, ledger: Ledger) -> np.ndarray:
    if np.ndim(layer.scale) or np.ndim(layer.offset):  # a list of one number a channel in its settings
        ledger.keep(entering[0])
    return entering[0]


@_leaving.register(layers.Add)
@_leaving.register(layers.Multiply)
@_leaving.register(layers.Average)
@_leaving.register(layers.Maximum)
def _(layer: layers.Layer, entering: list, call: Call, ledger: Ledger) -> np.ndarray | None:
    first, *others = entering
    if any(len(first) != len(other) for other in others):  # one channel that meets all of another map
        return None
    for other in others:
        ledger.join(first, other)
    return first


@_leaving.register
def _(layer: layers.Concatenate, entering: list, call: Call, ledger: Ledger) -> np.ndarray | None:
    return np.concatenate(entering) if layer.axis in (-1, len(call.entering[0].shape) - 1) else None


@_leaving.register
def _(layer: layers.Flatten, entering: list, call: Call, ledger: Ledger) -> np.ndarray | None:
    pixels = call.leaving[0].shape[-1] // len(entering[0])
    return np.tile(entering[0], pixels) if _channels_last(layer) else None


def _channels_last(layer: layers.Layer) -> bool:
    return getattr(layer, "data_format", None) in (None, "channels_last")
