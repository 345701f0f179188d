"""ResNet: residual blocks, with the plain shortcut and ResNet-D's pooled one, and its nets."""

import dataclasses
from typing import ClassVar

import keras
from keras import layers

from kerastrash.models.base import Count, Filter, Flag, Padding, Positive, Row, Rows, Stride, with_fields
from kerastrash.models.layers import LAST, Conv, MaxPool, Pool, activate, convolve


@dataclasses.dataclass(frozen=True)
class Residual(Row):
    """What the two blocks share, once their convolutions are known.

    Each convolution is followed by a batch norm, all but the last by ReLU; then the input is added, and ReLU ends the
    block. Where size or channels change, a 1x1 convolution brings the input to the new ones: with the block's stride,
    or with `pooled_shortcut` behind an average over 2x2 pixels (He et al. 2019, arXiv:1812.01187, figure 2 c).
    """

    repeats: ClassVar[bool] = True
    stage_modules: ClassVar[int] = 1

    def shortcut(self, channels: int) -> tuple[Filter, ...]:
        """The convolution on the shortcut, where one is needed."""
        changes = self.stride != 1 or channels != self.channels
        return (Filter("shortcut_conv", self.channels, stride=self.stride),) if changes else ()

    @property
    def net_modules(self) -> int:
        # The net and its classifier, less a container of torchvision's stem; in timm the stem's convolutions stand in
        # one container, the last norm and activation behind it, and the pooling holds two modules.
        return 2 if self.pooled_shortcut else 1

    def modules(self, channels: int) -> int:
        # torchvision's; timm's with a pooled shortcut: more activations, placeholders
        convolutions, projections = map(len, self.paths(channels))
        if self.pooled_shortcut:
            return 3 + 3 * convolutions + 4 * projections
        return 2 + 2 * convolutions + 3 * projections

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        path, shortcut = self.paths(x.shape[-1])
        entered, x = x, convolve(self, x, name, *path)
        if self.pooled_shortcut and self.stride > 1:
            # "same" leaves the pixels beyond an odd edge out of the mean, as the reference's ceil_mode does
            pool = layers.AveragePooling2D(2, 2, padding="same", data_format=LAST, name=f"{name}_shortcut_pool")
            entered, shortcut = pool(entered), (shortcut[0]._replace(stride=1),)
        entered = convolve(self, entered, name, *shortcut)
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

    def paths(self, channels: int) -> tuple[tuple[Filter, ...], ...]:
        path = (Filter("conv1", self.channels, 3, self.stride, "relu"), Filter("conv2", self.channels, 3))
        return path, self.shortcut(channels)


@dataclasses.dataclass(frozen=True)
class Bottleneck(Residual):
    """1x1, 3x3 and 1x1 convolutions (He et al. 2016, figure 5 right), the stride in the 3x3 as in torchvision."""

    kind: ClassVar[str] = "bottleneck"

    squeezed: Count
    channels: Count
    stride: Stride = 1
    pooled_shortcut: Flag = False
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    def paths(self, channels: int) -> tuple[tuple[Filter, ...], ...]:
        squeeze = Filter("conv1", self.squeezed, activation="relu")
        path = (squeeze, Filter("conv2", self.squeezed, 3, self.stride, "relu"), Filter("conv3", self.channels))
        return path, self.shortcut(channels)


# 11,179,590 parameters (11,689,512 at 1000 classes), 68 layers.
RESNET18: Rows = (
    Conv(64, kernel=7, stride=2),  # 112
    MaxPool(),  # 56
    *2 * (BasicBlock(64),),  # 56
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
    *3 * (Bottleneck(64, 256),),  # 56
    Bottleneck(128, 512, stride=2),  # 28
    *3 * (Bottleneck(128, 512),),  # 28
    Bottleneck(256, 1024, stride=2),  # 14
    *5 * (Bottleneck(256, 1024),),  # 14
    Bottleneck(512, 2048, stride=2),  # 7
    *2 * (Bottleneck(512, 2048),),  # 7
    Pool(),  # 1
)

# ResNet-18 with ResNet-D's stem and shortcuts. 11,198,822 parameters (11,708,744 at 1000 classes), 104 layers.
RESNET18D: Rows = (
    Conv(32, kernel=3, stride=2),  # 112
    Conv(32, kernel=3),  # 112
    Conv(64, kernel=3),  # 112
    *with_fields(RESNET18[1:], pooled_shortcut=True),  # 56 to 1
)
