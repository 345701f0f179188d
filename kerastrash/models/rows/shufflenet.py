"""The unit of ShuffleNetV2."""

import dataclasses
from typing import ClassVar, Self

from kerastrash.errors import ModelError
from kerastrash.models.checks import EvenCount, Kernel, Padding, Positive, Stride
from kerastrash.models.row import Row, Weights, Where, convolution, divisible, strided


@dataclasses.dataclass(frozen=True)
class ShuffleUnit(Row):
    """The unit of Ma et al. 2018 (arXiv:1807.11164, figure 3 c and d), as torchvision reads it.

    At stride 1 one half of the channels stays as it is, the other goes through 1x1, depthwise and 1x1 convolutions. At
    stride 2 all channels go both through those and through a depthwise and a 1x1 convolution. Then the two halves are
    joined and their channels interleaved.
    """

    kind: ClassVar[str] = "shuffle_unit"
    repeats: ClassVar[bool] = True
    stage_modules: ClassVar[int] = 1
    net_modules: ClassVar[int] = 1  # the net and its classifier, less one: its mean is no module, as a pool row is

    channels: EvenCount
    kernel: Kernel = 3
    stride: Stride = 1
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    @property
    def half(self) -> int:
        """The channels of one branch."""
        return self.channels // 2

    def weights(self, channels: int) -> tuple[Weights, ...]:
        depthwise, project = convolution(1, self.half, self.kernel), convolution(self.half, self.half)
        if self.stride == 1:
            return (convolution(self.half, self.half), depthwise, project)
        first_branch = (convolution(1, channels, self.kernel), convolution(channels, self.half))
        return (*first_branch, convolution(channels, self.half, where=Where.INPUT), depthwise, project)

    def modules(self, channels: int) -> int:
        first_branch = 1 if self.stride == 1 else 6  # container; two convolutions with norm, activation
        return 1 + first_branch + 9  # unit; the second branch: container, three convolutions with norm, two activations

    def output_channels(self, channels: int) -> int:
        if self.stride == 1 and channels != self.channels:
            raise ModelError(
                f"{self.kind} of stride 1 takes as many channels as it gives, {self.channels}, not {channels}; "
                "give it those channels or a stride of 2"
            )
        return self.channels

    def output_size(self, size: int) -> int:
        return strided(size, self.stride)

    def widened(self, width: float) -> Self:
        """The unit with its channels times `width`, in multiples of 16: the convolutions see one half."""
        return dataclasses.replace(self, channels=divisible(self.channels * width, 16))
