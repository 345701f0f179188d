"""The layers of the inverted bottleneck in all its readings."""

import keras
from keras import layers

from kerastrash.models.blocks.add_row import add_row
from kerastrash.models.blocks.layers import (
    LAST,
    activate,
    convolution_initializer,
    convolve,
    filter_channels,
    normalise,
)
from kerastrash.models.row import squeezed_channels
from kerastrash.models.rows import Block


@add_row.register
def _(row: Block, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    entered, channels = x, x.shape[-1]
    if row.expanded_channels(channels) != channels:
        x = convolve(x, row.expanded_channels(channels), 1, 1, f"{name}_expand")
        x = activate(normalise(x, row.epsilon, f"{name}_expand_bn"), row.activation, f"{name}_expand_activation")
    x = filter_channels(x, row.kernel, row.stride, f"{name}_depthwise", row.padding)
    x = normalise(x, row.epsilon, f"{name}_depthwise_bn")
    gate_first = row.gates_before_activation(channels)
    if row.squeeze_excite and gate_first:
        x = gate(x, name)
    x = activate(x, row.activation, f"{name}_depthwise_activation")
    if row.squeeze_excite and not gate_first:
        x = gate(x, name)
    x = normalise(convolve(x, row.channels, 1, 1, f"{name}_project"), row.epsilon, f"{name}_project_bn")
    return layers.Add(name=f"{name}_add")([entered, x]) if row.adds_input(channels) else x


def gate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Squeeze and excitation: ReLU inside, hard-sigmoid gate (MobileNetV3, arXiv:1905.02244, section 5.3)."""
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D(data_format=LAST, keepdims=True, name=f"{name}_squeeze_pool")(x)
    for part, filters, activation in (
        ("squeeze", squeezed_channels(channels), "relu"),
        ("excite", channels, "hard_sigmoid"),
    ):
        scale = layers.Conv2D(
            filters,
            1,
            data_format=LAST,
            activation=activation,
            kernel_initializer=convolution_initializer(),
            name=f"{name}_{part}",
        )(scale)
    return layers.Multiply(name=f"{name}_gate")([x, scale])
