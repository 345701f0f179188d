"""Which channels of a net stand or fall together, found in one walk over its layers.

Every channel of every map has a number. A convolution or dense layer makes new ones; what treats each channel by itself
hands them on; a sum or a product joins those at the same index, and a concatenation sets them side by side. Channels
that are joined are one group (DepGraph, Fang et al. 2023, arXiv:2301.12900): a group is kept or removed everywhere.
What mixes channels by their position (slices, reshapes: the channel shuffle) keeps the whole of what enters it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kerastrash.errors import ModelError
from kerastrash.models.builder import copy_layer

BY_POSITION = ("GetItem", "Reshape", "Split", "Transpose", "Permute", "Softmax")
"""Layers, and operations of `keras.ops`, whose outputs hang on where a channel stands or on which others there are;
named, for Keras has no public classes for its operations."""

HANDED_ON = (
    *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Dropout, layers.SpatialDropout2D, layers.Identity),
    *(layers.MaxPooling2D, layers.AveragePooling2D, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D),
    *(layers.ZeroPadding2D, layers.Cropping2D, layers.UpSampling2D),
)
"""Layers that treat each channel by itself and change none."""


@dataclass(frozen=True, eq=False)
class WeightedLayer:
    """A layer with weights: which group each of its channels belongs to."""

    layer: keras.Layer
    """A copy: settings and shapes."""
    entering: np.ndarray
    """int (channels,) of the tensor that enters."""
    leaving: np.ndarray
    """int (channels,) of the tensor that leaves."""
    pixels: int
    """Pixels of the map that leaves; 1 for a vector."""

    @property
    def makes_channels(self) -> bool:
        """True for a convolution, depthwise or not, or a dense layer; False for a batch norm."""
        return not isinstance(self.layer, layers.BatchNormalization)


@dataclass(frozen=True)
class ChannelGroups:
    """A net's groups of channels, numbered from 0."""

    count: int
    layers: tuple[WeightedLayer, ...]
    sets: tuple[np.ndarray, ...]
    """The groups that may be removed, those of the same layers together: each int (groups,), ascending."""


def channel_groups(model: keras.Model) -> ChannelGroups:
    """Finds the groups; colour channels of the images and outputs of the net are always kept.

    Raises:
        ModelError: the model is no functional one, calls a layer with weights in two places, or has a layer that is
            not understood, named.
    """
    copy, calls = _walk(model)
    ledger, found, numbers = Ledger(), [], {}
    for tensor in copy.inputs:
        numbers[id(tensor)] = ledger.keep(ledger.new(tensor.shape[-1]))
    for call in calls:
        entering = [numbers[id(tensor)] for tensor in call.entering]
        leaving = _follow(call, entering, ledger, model.name)
        numbers |= {id(tensor): channels for tensor, channels in zip(call.leaving, leaving, strict=True)}
        if getattr(call.layer, "weights", ()):
            pixels = int(np.prod(call.leaving[0].shape[1:-1], dtype=int))
            found.append(WeightedLayer(call.layer, entering[0], leaving[0], pixels))
    for tensor in copy.outputs:
        ledger.keep(numbers[id(tensor)])
    return _grouped(ledger, found)


@dataclass(frozen=True)
class Call:
    """One layer, or operation of `keras.ops`, as a net calls it."""

    layer: keras.Operation
    entering: tuple[keras.KerasTensor, ...]
    leaving: tuple[keras.KerasTensor, ...]


def _walk(model: keras.Model) -> tuple[keras.Model, list[Call]]:
    """A copy of the model, without its weights, and the copy's calls in their order."""
    calls: list[Call] = []

    def record(layer: keras.Operation, *arguments: object, **options: object) -> object:
        given = layer(*arguments, **options)
        entering = [value for value in keras.tree.flatten((arguments, options)) if isinstance(value, keras.KerasTensor)]
        calls.append(Call(layer, tuple(entering), tuple(keras.tree.flatten(given))))
        return given

    try:
        functional = keras.Model(model.input, model.output, name=model.name)
        copy = keras.models.clone_model(functional, clone_function=copy_layer, call_function=record)
    except (AttributeError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{model.name}: its layers cannot be walked ({reason}); give a functional model") from error
    weighted = [call.layer.name for call in calls if getattr(call.layer, "weights", ())]
    twice = sorted({name for name in weighted if weighted.count(name) > 1})
    if twice:
        raise ModelError(f"{model.name}: {', '.join(twice)} are used in two places; give a net that shares no weights")
    return copy, calls


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
        """Notes that the channels at the same index stand or fall together."""
        self.joined.append(np.stack([first, second]))

    def keep(self, channels: np.ndarray) -> np.ndarray:
        """Marks channels as never to be removed, and returns them."""
        self.whole.append(channels)
        return channels


def _follow(call: Call, entering: list[np.ndarray], ledger: Ledger, name: str) -> list[np.ndarray]:
    """The channels of each tensor that leaves a call."""
    kind = type(call.layer).__name__
    if kind in BY_POSITION:
        for channels in entering:
            ledger.keep(channels)
        return [ledger.keep(ledger.new(tensor.shape[-1])) for tensor in call.leaving]
    channels_last = getattr(call.layer, "data_format", None) in (None, "channels_last")
    leaving = _leaving(call, entering, ledger) if channels_last else None
    if leaving is None:
        raise ModelError(
            f"{name}: layer {call.layer.name} ({kind}) is not understood by pruning; give a net of convolutions, "
            "batch norms, sums and gates, channels last, as build_model makes them"
        )
    if getattr(call.layer, "activation", None) is keras.activations.softmax:  # every channel changes the others
        ledger.keep(leaving)
    return [leaving]


def _leaving(call: Call, entering: list[np.ndarray], ledger: Ledger) -> np.ndarray | None:
    """The channels that leave a layer; None where the layer is not understood."""
    layer, (first, *others), width = call.layer, entering, call.leaving[0].shape[-1]
    last_axis = getattr(layer, "axis", -1) in (-1, len(call.entering[0].shape) - 1)
    match layer:
        case layers.Conv2D() | layers.Dense():
            return ledger.new(width) if getattr(layer, "groups", 1) == 1 else None
        case layers.DepthwiseConv2D():
            return np.repeat(first, layer.depth_multiplier)
        case layers.BatchNormalization():
            return first if last_axis else None
        case layers.Concatenate():
            return np.concatenate(entering) if last_axis else None
        case layers.Flatten():
            return np.tile(first, width // len(first))
        case layers.Rescaling():
            if np.ndim(layer.scale) or np.ndim(layer.offset):  # a list of one number a channel in its settings
                ledger.keep(first)
            return first
        case layers.Add() | layers.Multiply() | layers.Average() | layers.Maximum():
            if any(len(first) != len(other) for other in others):  # one channel that meets all of another map
                return None
            for other in others:
                ledger.join(first, other)
            return first
    return first if isinstance(layer, HANDED_ON) else None


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
