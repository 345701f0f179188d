"""ResNet: residual blocks, with the plain shortcut and ResNet-D's pooled one, and its nets.

One row a line, each with the side of the map that leaves it; counts are for six classes.
"""

import abc
import dataclasses
from typing import ClassVar, NamedTuple

import keras
from keras import layers

from kerastrash.models.base import (
    Count,
    Flag,
    Padding,
    Positive,
    Rows,
    Stride,
    StridedRow,
    Weights,
    Where,
    convolution,
)
from kerastrash.models.layers import LAST, Conv, MaxPool, Pool, activate, convolve


class Filter(NamedTuple):
    """A convolution on the way through a block, and the map on which it works."""

    channels: int
    kernel: int
    stride: int = 1
    where: Where = Where.OUTPUT


@dataclasses.dataclass(frozen=True)
class Residual(StridedRow, abc.ABC):
    """What the two blocks share, once their convolutions are known.

    Each convolution is followed by a batch norm, all but the last by ReLU; then the input is added, and ReLU ends the
    block. Where size or channels change, a 1x1 convolution brings the input to the new ones: with the block's stride,
    or with `pooled_shortcut` behind an average over 2x2 pixels (He et al. 2019, arXiv:1812.01187, figure 2 c).
    """

    repeats: ClassVar[bool] = True
    stage_modules: ClassVar[int] = 1

    @abc.abstractmethod
    def path(self) -> tuple[Filter, ...]:
        """The block's convolutions, in their order."""

    def projects(self, channels: int) -> bool:
        """True where a convolution stands on the shortcut."""
        return self.stride != 1 or channels != self.channels

    def weights(self, channels: int) -> tuple[Weights, ...]:
        shortcut = (convolution(channels, self.channels),) if self.projects(channels) else ()
        main = []
        for filters, kernel, _, where in self.path():
            main.append(convolution(channels, filters, kernel, where))
            channels = filters
        return (*main, *shortcut)

    @property
    def net_modules(self) -> int:
        # The net and its classifier, less a container of torchvision's stem; in timm the stem's convolutions stand in
        # one container, the last norm and activation behind it, and the pooling holds two modules.
        return 2 if self.pooled_shortcut else 1

    def modules(self, channels: int) -> int:
        convolutions = len(self.path())  # torchvision's; timm's with a pooled shortcut: more activations, placeholders
        if self.pooled_shortcut:
            return 3 + 3 * convolutions + 4 * self.projects(channels)
        return 2 + 2 * convolutions + 3 * self.projects(channels)

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        entered, path = x, self.path()
        for number, (channels, kernel, stride, _) in enumerate(path, 1):
            activation = "relu" if number < len(path) else "linear"
            x = convolve(self, x, f"{name}_conv{number}", channels, kernel, stride, activation)
        if self.projects(entered.shape[-1]):
            stride, pool = self.stride, f"{name}_shortcut_pool"
            if self.pooled_shortcut and stride > 1:
                # "same" leaves the pixels beyond an odd edge out of the mean, as the reference's ceil_mode does
                entered = layers.AveragePooling2D(2, 2, padding="same", data_format=LAST, name=pool)(entered)
                stride = 1
            entered = convolve(self, entered, f"{name}_shortcut_conv", self.channels, 1, stride)
        return activate(layers.Add(name=f"{name}_add")([x, entered]), "relu", f"{name}_activation")


@dataclasses.dataclass(frozen=True)
class BasicBlock(Residual):
    """Two 3x3 convolutions (He et al. 2016, arXiv:1512.03385, figure 5 left)."""

    kind: ClassVar[str] = "basic_block"

    channels: Count
    stride: Stride = 1
    pooled_shortcut: Flag = False
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    def path(self) -> tuple[Filter, ...]:
        return Filter(self.channels, 3, self.stride), Filter(self.channels, 3)


@dataclasses.dataclass(frozen=True)
class Bottleneck(Residual):
    """1x1, 3x3 and 1x1 convolutions (He et al. 2016, figure 5 right), the stride in the 3x3 as in torchvision."""

    kind: ClassVar[str] = "bottleneck"
    scaled: ClassVar[tuple[str, ...]] = ("squeezed", "channels")

    squeezed: Count
    channels: Count
    stride: Stride = 1
    pooled_shortcut: Flag = False
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    def path(self) -> tuple[Filter, ...]:
        squeeze = Filter(self.squeezed, 1, where=Where.INPUT)
        return squeeze, Filter(self.squeezed, 3, self.stride), Filter(self.channels, 1)


# 11,179,590 parameters (11,689,512 at 1000 classes), 68 layers.
RESNET18: Rows = (
    Conv(64, kernel=7, stride=2),  # 112
    MaxPool(),  # 56
    BasicBlock(64),  # 56
    BasicBlock(64),  # 56
    BasicBlock(128, stride=2),  # 28
    BasicBlock(128),  # 28
    BasicBlock(256, stride=2),  # 14
    BasicBlock(256),  # 14
    BasicBlock(512, stride=2),  # 7
    BasicBlock(512),  # 7
    Pool(),  # 1
)

# 23,520,326 parameters (25,557,032 at 1000 classes), 151 layers.
RESNET50: Rows = (
    Conv(64, kernel=7, stride=2),  # 112
    MaxPool(),  # 56
    Bottleneck(64, 256),  # 56
    Bottleneck(64, 256),  # 56
    Bottleneck(64, 256),  # 56
    Bottleneck(128, 512, stride=2),  # 28
    Bottleneck(128, 512),  # 28
    Bottleneck(128, 512),  # 28
    Bottleneck(128, 512),  # 28
    Bottleneck(256, 1024, stride=2),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(512, 2048, stride=2),  # 7
    Bottleneck(512, 2048),  # 7
    Bottleneck(512, 2048),  # 7
    Pool(),  # 1
)

# 11,198,822 parameters (11,708,744 at 1000 classes), 104 layers.
RESNET18D: Rows = (
    Conv(32, kernel=3, stride=2),  # 112
    Conv(32, kernel=3),  # 112
    Conv(64, kernel=3),  # 112
    MaxPool(),  # 56
    BasicBlock(64, pooled_shortcut=True),  # 56
    BasicBlock(64, pooled_shortcut=True),  # 56
    BasicBlock(128, stride=2, pooled_shortcut=True),  # 28
    BasicBlock(128, pooled_shortcut=True),  # 28
    BasicBlock(256, stride=2, pooled_shortcut=True),  # 14
    BasicBlock(256, pooled_shortcut=True),  # 14
    BasicBlock(512, stride=2, pooled_shortcut=True),  # 7
    BasicBlock(512, pooled_shortcut=True),  # 7
    Pool(),  # 1
)
