"""MobileNetV3: the inverted bottleneck, two readings of it as rows, and its nets, the contest's among them.

One row a line, each with the side of the map that leaves it; counts are for six classes.
"""

import dataclasses
from typing import ClassVar

import keras
from keras import layers

from kerastrash.models.base import (
    Count,
    Flag,
    Kernel,
    Padding,
    Positive,
    Rows,
    Stride,
    StridedRow,
    Weights,
    Where,
    convolution,
    divisible,
)
from kerastrash.models.layers import Conv, Dense, Flatten, Pool, activate, convolve, gate


@dataclasses.dataclass(frozen=True)
class InvertedBottleneck(StridedRow):
    """A 1x1 convolution that expands the channels, a depthwise one, a gate, and a 1x1 convolution that projects.

    The expanded width is `channels in * expansion`, rounded to a multiple of 8; where it equals what enters, no
    convolution expands. The input is added where neither size nor channels change.
    Source: Sandler et al. 2018 (arXiv:1801.04381).
    """

    repeats: ClassVar[bool] = True
    gates_early: ClassVar[bool] = False  # whether a block that expands gates before its depthwise activation

    @property
    def activation(self) -> str:
        return "hard_swish" if self.hard_swish else "relu"

    def expanded_channels(self, channels: int) -> int:
        """Channels of the depthwise convolution for so many that enter."""
        return divisible(channels * self.expansion)

    def weights(self, channels: int) -> tuple[Weights, ...]:
        expanded = self.expanded_channels(channels)
        expand = (convolution(channels, expanded, where=Where.INPUT),) if expanded != channels else ()
        depthwise = convolution(1, expanded, self.kernel)
        squeezed = divisible(expanded // 4)
        gate = [Weights(expanded * squeezed, biases, Where.POINT) for biases in (squeezed, expanded)]
        return (*expand, depthwise, *(gate if self.squeeze_excite else ()), convolution(expanded, self.channels))

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        entered, channels = x, x.shape[-1]
        expanded = self.expanded_channels(channels)
        if expanded != channels:
            x = convolve(self, x, f"{name}_expand", expanded, activation=self.activation)
        x = convolve(self, x, f"{name}_depthwise", None, self.kernel, self.stride)
        early = self.gates_early and expanded != channels
        if self.squeeze_excite and early:
            x = gate(x, name)
        x = activate(x, self.activation, f"{name}_depthwise_activation")
        if self.squeeze_excite and not early:
            x = gate(x, name)
        x = convolve(self, x, f"{name}_project", self.channels)
        adds = self.stride == 1 and channels == self.channels
        return layers.Add(name=f"{name}_add")([entered, x]) if adds else x


@dataclasses.dataclass(frozen=True)
class InvertedResidual(InvertedBottleneck):
    """The contest team's block: one that expands gates before its activation, one that does not gates after it.

    Source: the contest report of December 2021; its nets' parameter and layer counts and golden outputs agree.
    """

    kind: ClassVar[str] = "inverted_residual"
    gates_early: ClassVar[bool] = True

    kernel: Kernel
    expansion: Positive
    channels: Count
    squeeze_excite: Flag = False
    hard_swish: Flag = False
    stride: Stride = 1
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    def modules(self, channels: int) -> int:
        items = 9 if self.expanded_channels(channels) != channels else 6  # an identity stands where there is no gate
        return 3 + items + 4 * self.squeeze_excite


@dataclasses.dataclass(frozen=True)
class Bneck(InvertedBottleneck):
    """The `bneck` of Howard et al. 2019 (arXiv:1905.02244, tables 1 and 2), as torchvision reads it.

    The expanded width is given, as the paper's `exp size`; the gate always stands after the depthwise activation.
    """

    kind: ClassVar[str] = "bneck"
    scaled: ClassVar[tuple[str, ...]] = ("expanded", "channels")

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

    def modules(self, channels: int) -> int:
        triples = 2 if self.expanded != channels else 1  # container, convolution, norm, activation
        return 2 + 4 * triples + 6 * self.squeeze_excite + 3  # two containers; the projection has no activation


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
