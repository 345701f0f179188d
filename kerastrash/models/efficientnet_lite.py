"""EfficientNet-Lite: its block as a row, and its nets."""

import dataclasses
from typing import ClassVar

from kerastrash.models.base import Activation, Count, Kernel, Padding, Positive, Rows, Stride
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.mobilenet_v3 import InvertedBottleneck


@dataclasses.dataclass(frozen=True)
class MBConv(InvertedBottleneck):
    """EfficientNet's block without a gate, as in EfficientNet-Lite; the expanded width is `channels in * expansion`.

    Source: Tan and Le 2019 (arXiv:1905.11946, table 1); Lite: github.com/tensorflow/tpu, efficientnet/lite.
    """

    kind: ClassVar[str] = "mbconv"
    squeeze_excite: ClassVar[bool] = False
    counted: ClassVar[tuple[int, int, int]] = (2, 3, 0)  # container, activation; each convolution, its padding, norm
    net_modules: ClassVar[int] = 3  # net, list of blocks, dropout, classifier, less one: stem and head share a ReLU6

    kernel: Kernel
    expansion: Positive
    channels: Count
    stride: Stride = 1
    activation: Activation = "relu6"
    epsilon: Positive = 1e-3
    padding: Padding = "same"


# Images of 224 pixels. 3,378,694 parameters (4,652,008 at 1000 classes), 185 layers.
EFFICIENTNET_LITE0: Rows = (
    Conv(32, kernel=3, stride=2, activation="relu6", epsilon=1e-3, padding="same"),  # 112
    MBConv(3, 1, 16),  # 112
    MBConv(3, 6, 24, stride=2),  # 56
    MBConv(3, 6, 24),  # 56
    MBConv(5, 6, 40, stride=2),  # 28
    MBConv(5, 6, 40),  # 28
    MBConv(3, 6, 80, stride=2),  # 14
    *2 * (MBConv(3, 6, 80),),  # 14
    *3 * (MBConv(5, 6, 112),),  # 14
    MBConv(5, 6, 192, stride=2),  # 7
    *3 * (MBConv(5, 6, 192),),  # 7
    MBConv(3, 6, 320),  # 7
    Conv(1280, activation="relu6", epsilon=1e-3),  # 7
    Pool(),  # 1
)

# Width 1.1, depth 1.2; images of 260 pixels. 4,818,758 parameters (6,092,072 at 1000 classes), 240 layers.
EFFICIENTNET_LITE2: Rows = (
    Conv(32, kernel=3, stride=2, activation="relu6", epsilon=1e-3, padding="same"),  # 130
    MBConv(3, 1, 16),  # 130
    MBConv(3, 6, 24, stride=2),  # 65
    *2 * (MBConv(3, 6, 24),),  # 65
    MBConv(5, 6, 48, stride=2),  # 33
    *2 * (MBConv(5, 6, 48),),  # 33
    MBConv(3, 6, 88, stride=2),  # 17
    *3 * (MBConv(3, 6, 88),),  # 17
    *4 * (MBConv(5, 6, 120),),  # 17
    MBConv(5, 6, 208, stride=2),  # 9
    *4 * (MBConv(5, 6, 208),),  # 9
    MBConv(3, 6, 352),  # 9
    Conv(1280, activation="relu6", epsilon=1e-3),  # 9
    Pool(),  # 1
)
