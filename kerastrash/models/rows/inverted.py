"""The inverted bottleneck in three readings: the contest team's, MobileNetV3's and EfficientNet-Lite's.

All expand with a 1x1 convolution, filter each channel, project with a 1x1 convolution, and add the input where neither
size nor channels change. They differ in how the expanded width is written, in whether and where a gate stands, and in
how many modules their PyTorch implementations hold.
"""

import abc
import dataclasses
from typing import ClassVar, Self

from kerastrash.models.checks import Activation, Count, Flag, Kernel, Padding, Positive, Stride
from kerastrash.models.row import Row, Weights, Where, convolution, divisible, squeeze_excitation, strided


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
