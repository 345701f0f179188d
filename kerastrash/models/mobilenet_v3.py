"""MobileNetV3: the inverted bottleneck as rows and layers, and its nets, the contest's among them.

One row a line, each with the side of the map that leaves it; counts are for six classes.
"""

import abc
import dataclasses
from typing import ClassVar, Self

import keras
from keras import layers

from kerastrash.models.base import (
    Activation,
    Count,
    Flag,
    Kernel,
    Padding,
    Positive,
    Row,
    Rows,
    Stride,
    Weights,
    Where,
    convolution,
    divisible,
    squeeze_excitation,
    squeezed_channels,
    strided,
)
from kerastrash.models.layers import (
    LAST,
    Conv,
    Dense,
    Flatten,
    Pool,
    activate,
    add_row,
    convolution_initializer,
    convolve,
    filter_channels,
    normalise,
)


@dataclasses.dataclass(frozen=True)
class Block(Row, abc.ABC):
    """What the readings share: the costs, once the expanded width is known."""

    repeats: ClassVar[bool] = True

    @property
    def activation(self) -> str:
        """The activation behind the expansion and the depthwise convolution."""
        return "hard_swish" if self.hard_swish else "relu"

    @abc.abstractmethod
    def expanded_channels(self, channels: int) -> int:
        """Channels of the depthwise convolution for so many that enter."""

    @abc.abstractmethod
    def gates_before_activation(self, channels: int) -> bool:
        """Whether the gate stands before the depthwise activation, rather than behind it."""

    def weights(self, channels: int) -> tuple[Weights, ...]:
        expanded = self.expanded_channels(channels)
        expand = (convolution(channels, expanded, where=Where.INPUT),) if expanded != channels else ()
        depthwise = convolution(1, expanded, self.kernel)
        gate = squeeze_excitation(expanded) if self.squeeze_excite else ()
        return (*expand, depthwise, *gate, convolution(expanded, self.channels))

    def adds_input(self, channels: int) -> bool:
        """True where the input is added to the output."""
        return self.stride == 1 and channels == self.channels

    def output_channels(self, channels: int) -> int:
        return self.channels

    def output_size(self, size: int) -> int:
        return strided(size, self.stride)


@dataclasses.dataclass(frozen=True)
class InvertedResidual(Block):
    """The contest team's block: the expanded width is `channels in * expansion`, rounded to a multiple of 8.

    A block that expands gates before its activation, one that does not gates after it.
    Source: the contest report of December 2021; its nets' parameter and layer counts and golden outputs agree.
    """

    kind: ClassVar[str] = "inverted_residual"

    kernel: Kernel
    expansion: Positive
    channels: Count
    squeeze_excite: Flag = False
    hard_swish: Flag = False
    stride: Stride = 1
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    def expanded_channels(self, channels: int) -> int:
        return divisible(channels * self.expansion)

    def gates_before_activation(self, channels: int) -> bool:
        return self.expanded_channels(channels) != channels

    def modules(self, channels: int) -> int:
        expands = self.expanded_channels(channels) != channels
        items = 9 if expands else 6  # the gate's place is held by an identity where there is none
        return 3 + items + 4 * self.squeeze_excite

    def widened(self, width: float) -> Self:
        return dataclasses.replace(self, channels=divisible(self.channels * width))


@dataclasses.dataclass(frozen=True)
class Bneck(Block):
    """The `bneck` of Howard et al. 2019 (arXiv:1905.02244, tables 1 and 2), as torchvision reads it.

    The expanded width is given, as the paper's `exp size`; the gate always stands after the depthwise activation.
    """

    kind: ClassVar[str] = "bneck"

    kernel: Kernel
    expanded: Count
    channels: Count
    squeeze_excite: Flag = False
    hard_swish: Flag = False
    stride: Stride = 1
    epsilon: Positive = 1e-3
    padding: Padding = "symmetric"

    def expanded_channels(self, channels: int) -> int:
        return self.expanded

    def gates_before_activation(self, channels: int) -> bool:
        return False

    def modules(self, channels: int) -> int:
        expand = 4 if self.expanded != channels else 0  # container, convolution, norm, activation
        depthwise, project, containers = 4, 3, 2
        return containers + expand + depthwise + 6 * self.squeeze_excite + project

    def widened(self, width: float) -> Self:
        return dataclasses.replace(
            self, expanded=divisible(self.expanded * width), channels=divisible(self.channels * width)
        )


@dataclasses.dataclass(frozen=True)
class MBConv(Block):
    """EfficientNet's block without a gate, as in EfficientNet-Lite; the expanded width is `channels in * expansion`.

    Source: Tan and Le 2019 (arXiv:1905.11946, table 1); Lite: github.com/tensorflow/tpu, efficientnet/lite.
    """

    kind: ClassVar[str] = "mbconv"
    squeeze_excite: ClassVar[bool] = False
    net_modules: ClassVar[int] = 3  # net, list of blocks, dropout, classifier, less one: stem and head share a ReLU6

    kernel: Kernel
    expansion: Positive
    channels: Count
    stride: Stride = 1
    activation: Activation = "relu6"
    epsilon: Positive = 1e-3
    padding: Padding = "same"

    def expanded_channels(self, channels: int) -> int:
        return divisible(channels * self.expansion)

    def gates_before_activation(self, channels: int) -> bool:
        return False

    def modules(self, channels: int) -> int:
        convolutions = 3 if self.expanded_channels(channels) != channels else 2
        return 2 + 3 * convolutions  # container, activation; of each convolution itself, its padding and norm

    def widened(self, width: float) -> Self:
        return dataclasses.replace(self, channels=divisible(self.channels * width))


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


# The contest team's submission (rows 3 to 5 of its table). 294,854 parameters, 79 layers.
MOBILENETV3_79: Rows = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),  # 78
    InvertedResidual(3, 1, 16),  # 78
    InvertedResidual(3, 3, 24),  # 78
    InvertedResidual(5, 3, 40, squeeze_excite=True),  # 78
    InvertedResidual(3, 6, 80, hard_swish=True, stride=2),  # 39
    InvertedResidual(5, 6, 80, squeeze_excite=True, hard_swish=True),  # 39
    Conv(480),  # 39
    Pool(keep_map=True),  # 1
    Flatten(),  # 1
)

# Row 2 of the contest team's table. 1,741,254 parameters, 163 layers.
MOBILENETV3_163: Rows = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),  # 112
    InvertedResidual(3, 1, 16),  # 112
    InvertedResidual(3, 4, 24, stride=2),  # 56
    InvertedResidual(3, 3, 24),  # 56
    InvertedResidual(5, 3, 40, squeeze_excite=True, stride=2),  # 28
    InvertedResidual(5, 3, 40, squeeze_excite=True),  # 28
    InvertedResidual(3, 6, 80, hard_swish=True, stride=2),  # 14
    InvertedResidual(3, 2.5, 80, hard_swish=True),  # 14
    InvertedResidual(3, 2.3, 80, hard_swish=True),  # 14
    InvertedResidual(3, 6, 112, squeeze_excite=True, hard_swish=True),  # 14
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True),  # 7
    Conv(960),  # 7
    Pool(keep_map=True),  # 1
    Flatten(),  # 1
)

# Row 1 of the contest team's table. 2,127,374 parameters, 179 layers.
MOBILENETV3_179: Rows = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),  # 112
    InvertedResidual(3, 1, 16),  # 112
    InvertedResidual(3, 4, 24, stride=2),  # 56
    InvertedResidual(3, 3, 24),  # 56
    InvertedResidual(5, 3, 40, squeeze_excite=True, stride=2),  # 28
    InvertedResidual(5, 3, 40, squeeze_excite=True),  # 28
    InvertedResidual(3, 6, 80, hard_swish=True, stride=2),  # 14
    InvertedResidual(3, 2.5, 80, hard_swish=True),  # 14
    InvertedResidual(3, 2.3, 80, hard_swish=True),  # 14
    InvertedResidual(3, 6, 112, squeeze_excite=True, hard_swish=True),  # 14
    InvertedResidual(3, 6, 112, squeeze_excite=True, hard_swish=True),  # 14
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True),  # 7
    Conv(960),  # 7
    Pool(keep_map=True),  # 1
    Flatten(),  # 1
)

# Where the contest team began. 4,210,998 parameters, 227 layers.
MOBILENETV3_FULL: Rows = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),  # 112
    InvertedResidual(3, 1, 16),  # 112
    InvertedResidual(3, 4, 24, stride=2),  # 56
    InvertedResidual(3, 3, 24),  # 56
    InvertedResidual(5, 3, 40, squeeze_excite=True, stride=2),  # 28
    InvertedResidual(5, 3, 40, squeeze_excite=True),  # 28
    InvertedResidual(5, 3, 40, squeeze_excite=True),  # 28
    InvertedResidual(3, 6, 80, hard_swish=True, stride=2),  # 14
    InvertedResidual(3, 2.5, 80, hard_swish=True),  # 14
    InvertedResidual(3, 2.3, 80, hard_swish=True),  # 14
    InvertedResidual(3, 2.3, 80, hard_swish=True),  # 14
    InvertedResidual(3, 6, 112, squeeze_excite=True, hard_swish=True),  # 14
    InvertedResidual(3, 6, 112, squeeze_excite=True, hard_swish=True),  # 14
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True),  # 7
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True),  # 7
    Conv(960),  # 7
    Pool(keep_map=True),  # 1
    Conv(1280),  # 1
    Flatten(),  # 1
)

# Howard et al. 2019, table 2. 1,524,006 parameters (2,542,856 at 1000 classes), 209 layers.
MOBILENET_V3_SMALL: Rows = (
    Conv(16, kernel=3, stride=2, activation="hard_swish", epsilon=1e-3),  # 112
    Bneck(3, 16, 16, squeeze_excite=True, stride=2),  # 56
    Bneck(3, 72, 24, stride=2),  # 28
    Bneck(3, 88, 24),  # 28
    Bneck(5, 96, 40, squeeze_excite=True, hard_swish=True, stride=2),  # 14
    Bneck(5, 240, 40, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 240, 40, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 120, 48, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 144, 48, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 288, 96, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    Bneck(5, 576, 96, squeeze_excite=True, hard_swish=True),  # 7
    Bneck(5, 576, 96, squeeze_excite=True, hard_swish=True),  # 7
    Conv(576, activation="hard_swish", epsilon=1e-3),  # 7
    Pool(),  # 1
    Dense(1024, activation="hard_swish"),  # 1
)

# Howard et al. 2019, table 1. 4,209,718 parameters (5,483,032 at 1000 classes), 255 layers.
MOBILENET_V3_LARGE: Rows = (
    Conv(16, kernel=3, stride=2, activation="hard_swish", epsilon=1e-3),  # 112
    Bneck(3, 16, 16),  # 112
    Bneck(3, 64, 24, stride=2),  # 56
    Bneck(3, 72, 24),  # 56
    Bneck(5, 72, 40, squeeze_excite=True, stride=2),  # 28
    Bneck(5, 120, 40, squeeze_excite=True),  # 28
    Bneck(5, 120, 40, squeeze_excite=True),  # 28
    Bneck(3, 240, 80, hard_swish=True, stride=2),  # 14
    Bneck(3, 200, 80, hard_swish=True),  # 14
    Bneck(3, 184, 80, hard_swish=True),  # 14
    Bneck(3, 184, 80, hard_swish=True),  # 14
    Bneck(3, 480, 112, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(3, 672, 112, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 672, 160, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    Bneck(5, 960, 160, squeeze_excite=True, hard_swish=True),  # 7
    Bneck(5, 960, 160, squeeze_excite=True, hard_swish=True),  # 7
    Conv(960, activation="hard_swish", epsilon=1e-3),  # 7
    Pool(),  # 1
    Dense(1280, activation="hard_swish"),  # 1
)
