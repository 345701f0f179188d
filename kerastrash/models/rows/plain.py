"""The kinds of row that nets of all families share: convolution, pooling, flattening, dense."""

import dataclasses
from typing import ClassVar, Self

from kerastrash.errors import ModelError
from kerastrash.models.checks import Activation, Count, Flag, Kernel, Padding, Positive, Stride
from kerastrash.models.row import Row, Weights, Where, convolution, divisible, strided


@dataclasses.dataclass(frozen=True)
class Conv(Row):
    """Convolution without bias, batch norm, activation."""

    kind: ClassVar[str] = "conv"

    channels: Count
    kernel: Kernel = 1
    stride: Stride = 1
    activation: Activation = "relu"
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    def weights(self, channels: int) -> tuple[Weights, ...]:
        return (convolution(channels, self.channels, self.kernel),)

    def modules(self, channels: int) -> int:
        return 3 + (self.activation != "linear")  # container, convolution, norm, activation

    def output_channels(self, channels: int) -> int:
        return self.channels

    def output_size(self, size: int) -> int:
        return strided(size, self.stride)

    def widened(self, width: float) -> Self:
        return dataclasses.replace(self, channels=divisible(self.channels * width))


@dataclasses.dataclass(frozen=True)
class MaxPool(Row):
    """The largest value under a window. Symmetric padding is of zeros, which behind a ReLU change no result."""

    kind: ClassVar[str] = "max_pool"

    kernel: Kernel = 3
    stride: Stride = 2
    padding: Padding = "symmetric"

    def output_size(self, size: int) -> int:
        return strided(size, self.stride)


@dataclasses.dataclass(frozen=True)
class Pool(Row):
    """Global average pooling, to a vector, or to a map of one pixel where a convolution still follows."""

    kind: ClassVar[str] = "pool"

    keep_map: Flag = False

    @property
    def gives_map(self) -> bool:
        return self.keep_map

    def output_size(self, size: int) -> int:
        return 1


@dataclasses.dataclass(frozen=True)
class Flatten(Row):
    """A map of one pixel becomes a vector; larger maps are refused, for the net's size would hang on its input's."""

    kind: ClassVar[str] = "flatten"

    @property
    def gives_map(self) -> bool:
        return False

    def output_size(self, size: int) -> int:
        if size != 1:
            raise ModelError(f"flatten takes a map of 1 pixel, not {size}x{size}; put a pool row before it")
        return 1


@dataclasses.dataclass(frozen=True)
class Dense(Row):
    """Fully connected layer with bias, then the activation."""

    kind: ClassVar[str] = "dense"
    takes_map: ClassVar[bool] = False

    units: Count
    activation: Activation = "relu"

    @property
    def gives_map(self) -> bool:
        return False

    def weights(self, channels: int) -> tuple[Weights, ...]:
        return (Weights(channels * self.units, self.units, Where.POINT),)

    def modules(self, channels: int) -> int:
        return 3  # torchvision's classifier: linear, activation, dropout (which inference has not)

    def output_channels(self, channels: int) -> int:
        return self.units

    def widened(self, width: float) -> Self:
        return dataclasses.replace(self, units=divisible(self.units * width))
