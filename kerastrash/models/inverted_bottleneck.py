"""The inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381): what its kinds of row share, and their layers."""

import dataclasses
from typing import ClassVar

import keras
from keras import layers

from kerastrash.models.base import (
    StridedRow,
    Weights,
    Where,
    convolution,
    divisible,
    squeeze_excitation,
    squeezed_channels,
)
from kerastrash.models.layers import (
    LAST,
    activate,
    add_row,
    convolution_initializer,
    convolve,
    filter_channels,
    normalise,
)


@dataclasses.dataclass(frozen=True)
class InvertedBottleneck(StridedRow):
    """A 1x1 convolution that expands the channels, a depthwise one, a gate, and a 1x1 convolution that projects.

    The expanded width is `channels in * expansion`, rounded to a multiple of 8; where it equals what enters, no
    convolution expands. The input is added where neither size nor channels change.
    """

    repeats: ClassVar[bool] = True

    @property
    def activation(self) -> str:
        """The activation behind the expansion and the depthwise convolution."""
        return "hard_swish" if self.hard_swish else "relu"

    def expanded_channels(self, channels: int) -> int:
        """Channels of the depthwise convolution for so many that enter."""
        return divisible(channels * self.expansion)

    def gates_before_activation(self, channels: int) -> bool:
        """True where the gate stands before the depthwise activation, rather than behind it."""
        return False

    def weights(self, channels: int) -> tuple[Weights, ...]:
        expanded = self.expanded_channels(channels)
        expand = (convolution(channels, expanded, where=Where.INPUT),) if expanded != channels else ()
        depthwise = convolution(1, expanded, self.kernel)
        gate = squeeze_excitation(expanded) if self.squeeze_excite else ()
        return (*expand, depthwise, *gate, convolution(expanded, self.channels))

    def adds_input(self, channels: int) -> bool:
        """True where the input is added to the output."""
        return self.stride == 1 and channels == self.channels


@add_row.register
def _(row: InvertedBottleneck, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
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
        options = {"data_format": LAST, "activation": activation, "name": f"{name}_{part}"}
        scale = layers.Conv2D(filters, 1, kernel_initializer=convolution_initializer(), **options)(scale)
    return layers.Multiply(name=f"{name}_gate")([x, scale])
