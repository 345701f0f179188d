"""MobileNetV3: the inverted bottleneck, two readings of it as rows, and its nets, the contest's among them."""

import dataclasses
from typing import ClassVar

import keras
from keras import layers

from kerastrash.models.base import Count, Filter, Flag, Kernel, Padding, Positive, Row, Rows, Stride, divisible
from kerastrash.models.layers import Conv, Dense, Flatten, Pool, convolve


@dataclasses.dataclass(frozen=True)
class InvertedBottleneck(Row):
    """A 1x1 convolution that expands the channels, a depthwise one, a gate, and a 1x1 convolution that projects.

    The expanded width is `channels in * expansion`, rounded to a multiple of 8; where it equals what enters, no
    convolution expands. The input is added where neither size nor channels change.
    Source: Sandler et al. 2018 (arXiv:1801.04381).
    """

    repeats: ClassVar[bool] = True
    gates_early: ClassVar[bool] = False  # whether a block that expands gates before its depthwise activation
    counted: ClassVar[tuple[int, int, int]]  # modules of the block itself, of each convolution, and of a gate

    @property
    def activation(self) -> str:
        return "hard_swish" if self.hard_swish else "relu"

    def expanded_channels(self, channels: int) -> int:
        """Channels of the depthwise convolution for so many that enter."""
        return divisible(channels * self.expansion)

    def paths(self, channels: int) -> tuple[tuple[Filter, ...], ...]:
        expanded = self.expanded_channels(channels)
        expand = () if expanded == channels else (Filter("expand", expanded, activation=self.activation),)
        gate = "" if not self.squeeze_excite else "early" if self.gates_early and expand else "late"
        depthwise = Filter("depthwise", None, self.kernel, self.stride, self.activation, gate)
        return ((*expand, depthwise, Filter("project", self.channels)),)

    def modules(self, channels: int) -> int:
        block, convolution, gate = self.counted
        return block + convolution * len(self.paths(channels)[0]) + gate * self.squeeze_excite

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        channels = x.shape[-1]
        adds = self.stride == 1 and channels == self.channels
        made = convolve(self, x, name, *self.paths(channels)[0])
        return layers.Add(name=f"{name}_add")([x, made]) if adds else made


@dataclasses.dataclass(frozen=True)
class InvertedResidual(InvertedBottleneck):
    """The contest team's block: one that expands gates before its activation, one that does not gates after it.

    Source: the contest report of December 2021; its nets' parameter and layer counts and golden outputs agree.
    """

    kind: ClassVar[str] = "inverted_residual"
    gates_early: ClassVar[bool] = True
    counted: ClassVar[tuple[int, int, int]] = (3, 3, 4)  # an identity stands where there is no gate

    kernel: Kernel
    expansion: Positive
    channels: Count
    squeeze_excite: Flag = False
    hard_swish: Flag = False
    stride: Stride = 1
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"


@dataclasses.dataclass(frozen=True)
class Bneck(InvertedBottleneck):
    """The `bneck` of Howard et al. 2019 (arXiv:1905.02244, tables 1 and 2), as torchvision reads it.

    The expanded width is given, as the paper's `exp size`; the gate always stands after the depthwise activation.
    """

    kind: ClassVar[str] = "bneck"
    counted: ClassVar[tuple[int, int, int]] = (1, 4, 6)  # containers, a convolution's too; no activation projects

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
    *2 * (InvertedResidual(3, 6, 112, squeeze_excite=True, hard_swish=True),),  # 14
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True),  # 7
    Conv(960),  # 7
    Pool(keep_map=True),  # 1
    Flatten(),  # 1
)

# Row 2 of that table: row 1 with a single block of 112 channels. 1,741,254 parameters, 163 layers.
MOBILENETV3_163: Rows = (*MOBILENETV3_179[:9], *MOBILENETV3_179[10:])

# Where the contest team began. 4,210,998 parameters, 227 layers.
MOBILENETV3_FULL: Rows = (
    Conv(16, kernel=3, stride=2, activation="hard_swish"),  # 112
    InvertedResidual(3, 1, 16),  # 112
    InvertedResidual(3, 4, 24, stride=2),  # 56
    InvertedResidual(3, 3, 24),  # 56
    InvertedResidual(5, 3, 40, squeeze_excite=True, stride=2),  # 28
    *2 * (InvertedResidual(5, 3, 40, squeeze_excite=True),),  # 28
    InvertedResidual(3, 6, 80, hard_swish=True, stride=2),  # 14
    InvertedResidual(3, 2.5, 80, hard_swish=True),  # 14
    *2 * (InvertedResidual(3, 2.3, 80, hard_swish=True),),  # 14
    *2 * (InvertedResidual(3, 6, 112, squeeze_excite=True, hard_swish=True),),  # 14
    InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    *2 * (InvertedResidual(5, 6, 160, squeeze_excite=True, hard_swish=True),),  # 7
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
    *2 * (Bneck(5, 240, 40, squeeze_excite=True, hard_swish=True),),  # 14
    Bneck(5, 120, 48, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 144, 48, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 288, 96, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    *2 * (Bneck(5, 576, 96, squeeze_excite=True, hard_swish=True),),  # 7
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
    *2 * (Bneck(5, 120, 40, squeeze_excite=True),),  # 28
    Bneck(3, 240, 80, hard_swish=True, stride=2),  # 14
    Bneck(3, 200, 80, hard_swish=True),  # 14
    *2 * (Bneck(3, 184, 80, hard_swish=True),),  # 14
    Bneck(3, 480, 112, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(3, 672, 112, squeeze_excite=True, hard_swish=True),  # 14
    Bneck(5, 672, 160, squeeze_excite=True, hard_swish=True, stride=2),  # 7
    *2 * (Bneck(5, 960, 160, squeeze_excite=True, hard_swish=True),),  # 7
    Conv(960, activation="hard_swish", epsilon=1e-3),  # 7
    Pool(),  # 1
    Dense(1280, activation="hard_swish"),  # 1
)
