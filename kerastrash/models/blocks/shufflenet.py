"""The layers of ShuffleNetV2's unit."""

import keras
from keras import layers

from kerastrash.models.blocks.add_row import add_row
from kerastrash.models.blocks.layers import activate, convolve, filter_channels, normalise
from kerastrash.models.rows import ShuffleUnit


@add_row.register
def _(row: ShuffleUnit, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    if row.stride == 1:
        kept, x = x[..., : row.half], x[..., row.half :]
    else:
        kept = _filter_and_project(row, x, f"{name}_branch1")
    x = normalise(convolve(x, row.half, 1, 1, f"{name}_branch2_expand"), row.epsilon, f"{name}_branch2_expand_bn")
    x = _filter_and_project(row, activate(x, "relu", f"{name}_branch2_expand_activation"), f"{name}_branch2")
    return _shuffle(layers.Concatenate(name=f"{name}_concatenate")([kept, x]), f"{name}_shuffle")


def _filter_and_project(row: ShuffleUnit, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = filter_channels(x, row.kernel, row.stride, f"{name}_depthwise", row.padding)
    x = convolve(normalise(x, row.epsilon, f"{name}_depthwise_bn"), row.half, 1, 1, f"{name}_project")
    return activate(normalise(x, row.epsilon, f"{name}_project_bn"), "relu", f"{name}_project_activation")


def _shuffle(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Interleaves the two halves of the channels: the first of each, then the second of each, and so on."""
    _, height, width, channels = x.shape
    x = layers.Reshape((height, width, 2, channels // 2), name=f"{name}_split")(x)
    x = layers.Permute((1, 2, 4, 3), name=f"{name}_swap")(x)
    return layers.Reshape((height, width, channels), name=f"{name}_join")(x)
