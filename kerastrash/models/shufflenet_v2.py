"""ShuffleNetV2: its unit as a row, the unit's layers, and its nets."""

import dataclasses
from typing import ClassVar

import keras
from keras import layers

from kerastrash.errors import ModelError
from kerastrash.models.base import EvenCount, Filter, Kernel, Padding, Positive, Row, Rows, Stride
from kerastrash.models.layers import Conv, MaxPool, Pool, convolve


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
    divisor: ClassVar[int] = 16  # the convolutions see one half

    channels: EvenCount
    kernel: Kernel = 3
    stride: Stride = 1
    epsilon: Positive = 1e-5
    padding: Padding = "symmetric"

    @property
    def half(self) -> int:
        """The channels of one branch."""
        return self.channels // 2

    def paths(self, channels: int) -> tuple[tuple[Filter, ...], ...]:
        depthwise = Filter("branch2_depthwise", None, self.kernel, self.stride)
        project = Filter("branch2_project", self.half, activation="relu")
        second = (Filter("branch2_expand", self.half, activation="relu"), depthwise, project)
        if self.stride == 1:
            return (), second
        return (depthwise._replace(name="branch1_depthwise"), project._replace(name="branch1_project")), second

    def costs(self, channels: int, size: int) -> tuple[int, int]:
        return super().costs(channels if self.stride > 1 else self.half, size)

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

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        first, second = self.paths(x.shape[-1])
        kept, x = (x[..., : self.half], x[..., self.half :]) if self.stride == 1 else (x, x)
        kept = convolve(self, kept, name, *first)
        x = convolve(self, x, name, *second)
        x = layers.Concatenate(name=f"{name}_concatenate")([kept, x])
        _, height, width, channels = x.shape
        # the first channel of each half, then the second of each, and so on
        x = layers.Reshape((height, width, 2, channels // 2), name=f"{name}_shuffle_split")(x)
        x = layers.Permute((1, 2, 4, 3), name=f"{name}_shuffle_swap")(x)
        return layers.Reshape((height, width, channels), name=f"{name}_shuffle_join")(x)


def _net(first: int, second: int, third: int, head: int) -> Rows:
    """A column of table 5: the channels of the three stages and of the head."""
    return (
        Conv(24, kernel=3, stride=2),  # 112
        MaxPool(),  # 56
        ShuffleUnit(first, stride=2),  # 28
        *3 * (ShuffleUnit(first),),  # 28
        ShuffleUnit(second, stride=2),  # 14
        *7 * (ShuffleUnit(second),),  # 14
        ShuffleUnit(third, stride=2),  # 7
        *3 * (ShuffleUnit(third),),  # 7
        Conv(head),  # 7
        Pool(),  # 1
    )


SHUFFLENET_V2_X0_5 = _net(48, 96, 192, 1024)  # 347,942 parameters (1,366,792 at 1000 classes)
SHUFFLENET_V2_X1_0 = _net(116, 232, 464, 1024)  # 1,259,754 (2,278,604)
SHUFFLENET_V2_X1_5 = _net(176, 352, 704, 1024)  # 2,484,774 (3,503,624)
SHUFFLENET_V2_X2_0 = _net(244, 488, 976, 2048)  # 5,357,290 (7,393,996)
