"""Which channels of a net stand or fall together, found in one walk over its layers.

Every channel of every map has a number. A convolution or dense layer makes new ones; what treats each channel by itself
hands them on; a sum or a product joins those at the same index, and a concatenation sets them side by side. Channels
that are joined are one group (DepGraph, Fang et al. 2023, arXiv:2301.12900): a group is kept or removed everywhere.
What mixes channels by their position (slices, reshapes: the channel shuffle) keeps the whole of what enters it.
"""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import layers
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kerastrash.errors import ModelError, told
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
    calls = []

    def record(layer: keras.Operation, *arguments: object, **options: object) -> object:
        given = layer(*arguments, **options)
        calls.append((layer, (arguments, options), given))
        return given

    try:
        functional = keras.Model(model.input, model.output, name=model.name)
        copy = keras.models.clone_model(functional, clone_function=copy_layer, call_function=record)
    except (AttributeError, ValueError, TypeError) as error:
        raise ModelError(
            f"{model.name}: its layers cannot be walked ({told(error)}); give a functional model"
        ) from error
    walk = Walk(model.name)
    for layer, taken, given in calls:
        walk.note(layer, taken, given)
    names = [one.layer.name for one in walk.weighted]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"{model.name}: {', '.join(twice)} are used in two places; give a net that shares no weights")
    for tensor in copy.outputs:
        walk.keep(walk.channels_of(tensor))
    return _grouped(walk)


class Walk:
    """What has been noted so far in one walk over the layers of a net."""

    def __init__(self, name: str) -> None:
        self.name, self.channels = name, 0
        self.joined: list[np.ndarray] = []
        """Pairs of channels that stand or fall together, int (2, n) each."""
        self.whole: list[np.ndarray] = []
        """Channels that are never removed."""
        self.weighted: list[WeightedLayer] = []
        """The layers by their channels, not yet by groups."""
        self._numbers: dict[int, np.ndarray] = {}

    def new(self, count: int) -> np.ndarray:
        """Numbers for `count` new channels."""
        self.channels += count
        return np.arange(self.channels - count, self.channels)

    def keep(self, channels: np.ndarray) -> np.ndarray:
        """Marks channels as never to be removed, and returns them."""
        self.whole.append(channels)
        return channels

    def channels_of(self, tensor: keras.KerasTensor) -> np.ndarray:
        """The channels of a tensor; those of an image, which no layer has made, are kept."""
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = self.keep(self.new(tensor.shape[-1]))
        return self._numbers[id(tensor)]

    def note(self, layer: keras.Operation, taken: object, given: object) -> None:
        """Notes the channels of what a layer, or an operation of `keras.ops`, gave for what it took."""
        tensors = [value for value in keras.tree.flatten(taken) if isinstance(value, keras.KerasTensor)]
        entering, made = [self.channels_of(tensor) for tensor in tensors], keras.tree.flatten(given)
        if type(layer).__name__ in BY_POSITION:
            for channels in entering:
                self.keep(channels)
            leaving = [self.keep(self.new(tensor.shape[-1])) for tensor in made]
        else:
            leaving = [self._leaving(layer, entering, len(tensors[0].shape), made[0].shape[-1])]
        if getattr(layer, "activation", None) is keras.activations.softmax:  # every channel changes the others
            self.keep(leaving[0])
        self._numbers |= {id(tensor): channels for tensor, channels in zip(made, leaving, strict=True)}
        if getattr(layer, "weights", ()):
            pixels = int(np.prod(made[0].shape[1:-1], dtype=int))
            self.weighted.append(WeightedLayer(layer, entering[0], leaving[0], pixels))

    def _leaving(self, layer: keras.Operation, entering: list[np.ndarray], rank: int, width: int) -> np.ndarray:
        """The channels that leave a layer, `width` of them, whose first input has `rank` axes."""
        first, *others = entering
        last_axis = getattr(layer, "axis", -1) in (-1, rank - 1)
        match layer:
            case _ if getattr(layer, "data_format", None) not in (None, "channels_last"):
                pass
            case layers.Conv2D() | layers.Dense() if getattr(layer, "groups", 1) == 1:
                return self.new(width)
            case layers.DepthwiseConv2D():
                return np.repeat(first, layer.depth_multiplier)
            case layers.BatchNormalization() if last_axis:
                return first
            case layers.Concatenate() if last_axis:
                return np.concatenate(entering)
            case layers.Flatten():
                return np.tile(first, width // len(first))
            case layers.Rescaling():
                if np.ndim(layer.scale) or np.ndim(layer.offset):  # a list of one number a channel in its settings
                    self.keep(first)
                return first
            case layers.Add() | layers.Multiply() | layers.Average() | layers.Maximum():
                if all(len(first) == len(other) for other in others):  # or else one channel meets all of another map
                    self.joined += [np.stack([first, other]) for other in others]
                    return first
            case _ if isinstance(layer, HANDED_ON):
                return first
        raise ModelError(
            f"{self.name}: layer {layer.name} ({type(layer).__name__}) is not understood by pruning; give a net of "
            "convolutions, batch norms, sums and gates, channels last, as build_model makes them"
        )


def _grouped(walk: Walk) -> ChannelGroups:
    pairs = np.concatenate([np.empty((2, 0), int), *walk.joined], axis=1)
    links = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(walk.channels,) * 2)
    count, group = connected_components(links, directed=False)
    weighted = tuple(replace(one, entering=group[one.entering], leaving=group[one.leaving]) for one in walk.weighted)
    removable = np.ones(count, bool)
    removable[group[np.concatenate(walk.whole)]] = False
    makers = np.zeros((len(weighted), count), bool)
    for row, layer in zip(makers, weighted, strict=True):
        row[layer.leaving] = True
    candidates = np.flatnonzero(removable)
    _, which = np.unique(makers[:, candidates], axis=1, return_inverse=True)
    sets = (candidates[which.ravel() == number] for number in range(which.max(initial=-1) + 1))
    return ChannelGroups(count, weighted, tuple(sets))
