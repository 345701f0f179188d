"""The rows that nets of all families share, and the stock Keras layers that every kind of row is built of."""

import dataclasses
from functools import partial
from typing import ClassVar

import keras
from keras import layers

from kerastrash.errors import ModelError
from kerastrash.models.base import Activation, Count, Filter, Flag, Kernel, Padding, Positive, Row, Stride, divisible

LAST = "channels_last"  # stated on every layer: the nets are NHWC whatever keras.json says
# Called for each layer, for one instance repeats its draw: He normal over the outputs (arXiv:1502.01852), and normal
# with standard deviation 0.01, as torchvision's MobileNetV3.
convolution_initializer = partial(keras.initializers.VarianceScaling, 2.0, "fan_out", "untruncated_normal")
dense_initializer = partial(keras.initializers.RandomNormal, stddev=0.01)
MOMENTUM = 0.9  # of the old statistics; PyTorch's default 0.1 is of the new ones


def convolve(row: Row, x: keras.KerasTensor, name: str, *path: Filter) -> keras.KerasTensor:
    """Adds convolutions behind `x`, with the row's padding and the batch-norm epsilon of the row."""
    for part in path:
        layer = f"{name}_{part.name}"
        x, padding = pad(x, part.kernel, part.stride, layer, row.padding)
        options = {"padding": padding, "data_format": LAST, "use_bias": False, "name": layer}
        he = convolution_initializer()
        if part.channels is None:
            x = layers.DepthwiseConv2D(part.kernel, part.stride, depthwise_initializer=he, **options)(x)
        else:
            x = layers.Conv2D(part.channels, part.kernel, part.stride, kernel_initializer=he, **options)(x)
        layer = layer.removesuffix("_conv")
        x = layers.BatchNormalization(axis=-1, momentum=MOMENTUM, epsilon=row.epsilon, name=f"{layer}_bn")(x)
        x = gate(x, name) if part.gate == "early" else x
        x = activate(x, part.activation, f"{layer}_activation")
        x = gate(x, name) if part.gate == "late" else x
    return x


def pad(x: keras.KerasTensor, kernel: int, stride: int, name: str, padding: str) -> tuple[keras.KerasTensor, str]:
    """Pads by `kernel // 2` where "same" would not be symmetric; returns the padding that Keras still has to do."""
    if stride == 1 or padding == "same":
        return x, "same"
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, data_format=LAST, name=f"{name}_pad")(x)
    return x, "valid"


def activate(x: keras.KerasTensor, activation: str, name: str) -> keras.KerasTensor:
    """The activation as a layer; none for "linear"."""
    return x if activation == "linear" else layers.Activation(activation, name=name)(x)


def gate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Squeeze and excitation (Hu et al. 2018, arXiv:1709.01507) as in MobileNetV3 (arXiv:1905.02244, section 5.3)."""
    channels = x.shape[-1]
    parts = (("squeeze", divisible(channels // 4), "relu"), ("excite", channels, "hard_sigmoid"))
    scale = layers.GlobalAveragePooling2D(data_format=LAST, keepdims=True, name=f"{name}_squeeze_pool")(x)
    for part, filters, activation in parts:
        options = {"data_format": LAST, "activation": activation, "name": f"{name}_{part}"}
        scale = layers.Conv2D(filters, 1, kernel_initializer=convolution_initializer(), **options)(scale)
    return layers.Multiply(name=f"{name}_gate")([x, scale])


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

    def paths(self, channels: int) -> tuple[tuple[Filter, ...], ...]:
        return ((Filter("conv", self.channels, self.kernel, self.stride, self.activation),),)

    def modules(self, channels: int) -> int:
        return 3 + (self.activation != "linear")  # container, convolution, norm, activation

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return convolve(self, x, name, *self.paths(x.shape[-1])[0])


@dataclasses.dataclass(frozen=True)
class MaxPool(Row):
    """The largest value under a window. Symmetric padding is of zeros, which behind a ReLU change no result."""

    kind: ClassVar[str] = "max_pool"

    kernel: Kernel = 3
    stride: Stride = 2
    padding: Padding = "symmetric"

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x, padding = pad(x, self.kernel, self.stride, f"{name}_max_pool", self.padding)
        return layers.MaxPooling2D(self.kernel, self.stride, padding, data_format=LAST, name=f"{name}_max_pool")(x)


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

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.GlobalAveragePooling2D(data_format=LAST, keepdims=self.keep_map, name=f"{name}_pool")(x)


@dataclasses.dataclass(frozen=True)
class Flatten(Row):
    """A map of one pixel becomes a vector; larger maps are refused, for the net's size would hang on its input's."""

    kind: ClassVar[str] = "flatten"
    gives_map: ClassVar[bool] = False

    def output_size(self, size: int) -> int:
        if size != 1:
            raise ModelError(f"flatten takes a map of 1 pixel, not {size}x{size}; put a pool row before it")
        return 1

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.Flatten(data_format=LAST, name=f"{name}_flatten")(x)


@dataclasses.dataclass(frozen=True)
class Dense(Row):
    """Fully connected layer with bias, then the activation."""

    kind: ClassVar[str] = "dense"
    takes_map: ClassVar[bool] = False
    gives_map: ClassVar[bool] = False

    units: Count
    activation: Activation = "relu"

    def costs(self, channels: int, size: int) -> tuple[int, int]:
        return (channels + 1) * self.units, channels * self.units

    def modules(self, channels: int) -> int:
        return 3  # torchvision's classifier: linear, activation, dropout (which inference has not)

    def output_channels(self, channels: int) -> int:
        return self.units

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x = layers.Dense(self.units, kernel_initializer=dense_initializer(), name=f"{name}_dense")(x)
        return activate(x, self.activation, f"{name}_activation")
