"""The kinds of row: plain convolution, pooling, flattening, dense, and the two readings of MobileNetV3's block.

Both readings expand with a 1x1 convolution, filter each channel, gate, project with a 1x1 convolution, and add the
input where neither size nor channels change. They differ in how the expanded width is written, in where the gate
stands, and in how many modules their PyTorch implementations hold.
"""

import abc
import dataclasses
from typing import ClassVar, Self

from kerastrash.errors import ModelError
from kerastrash.models.checks import Activation, Count, Flag, Kernel, Positive, Stride
from kerastrash.models.row import Row, Weights, Where, convolution, divisible, squeeze_excitation, strided


@dataclasses.dataclass(frozen=True)
class Conv(Row):
    """Convolution without bias, batch norm, activation."""

    kind: ClassVar[str] = "conv"

    channels: Count
    kernel: Kernel = 1
    stride: Stride = 1
    activation: Activation = "relu"
    epsilon: Positive = 1e-5

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


@dataclasses.dataclass(frozen=True)
class Block(Row, abc.ABC):
    """What the two readings share: the costs, once the expanded width is known."""

    repeats: ClassVar[bool] = True

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
