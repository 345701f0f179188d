"""A narrower functional model that holds the kept channels' weights of another."""

import keras
import numpy as np
from keras import layers

from kerastrash.compress.pruning.channel_groups import ChannelGroups, WeightedLayer
from kerastrash.models.copies import copy_layer


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
        values = model.get_layer(name).get_weights()
        found.get_layer(name).set_weights(_kept_weights(one, values, kept))
    return found


def _kept_weights(one: WeightedLayer, values: list[np.ndarray], kept: np.ndarray) -> list[np.ndarray]:
    """A kernel is (..., in, out), a depthwise one (height, width, in, multiplier), all else (out,)."""
    entering, leaving = kept[one.entering], kept[one.leaving]
    if not one.makes_channels:
        return [vector[leaving] for vector in values]
    kernel, *bias = values
    kernel = kernel[..., entering, :]
    if not isinstance(one.layer, layers.DepthwiseConv2D):
        kernel = kernel[..., leaving]
    return [kernel, *(vector[leaving] for vector in bias)]


def widths(model: keras.Model) -> dict[str, int]:
    """Channels that leave each convolution and dense layer, by the layer's name, in the order of the net.

    Depthwise convolutions are left out: they are as wide as what enters them.
    """
    makers = (layers.Conv2D, layers.Dense)
    return {layer.name: int(layer.output.shape[-1]) for layer in model.layers if isinstance(layer, makers)}
