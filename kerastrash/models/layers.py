"""The rows that nets of all families share, and the stock Keras layers that every kind of row is built of."""

import dataclasses
import functools
from typing import ClassVar

import keras
from keras import layers

from kerastrash.errors import ModelError
from kerastrash.models.base import (
    Activation,
    Count,
    Flag,
    Kernel,
    Padding,
    Positive,
    Row,
    Stride,
    StridedRow,
    Weights,
    Where,
    convolution,
    strided,
)

LAST = "channels_last"  # stated on every layer: the nets are NHWC whatever keras.json says
MOMENTUM = 0.9  # of the old statistics; PyTorch's default 0.1 is of the new ones


def convolve(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str, padding: str = "symmetric"
) -> keras.KerasTensor:
    """A convolution without bias."""
    x, padding = pad(x, kernel, stride, name, padding)
    options = {"padding": padding, "data_format": LAST, "use_bias": False, "name": name}
    return layers.Conv2D(filters, kernel, stride, kernel_initializer=convolution_initializer(), **options)(x)


def filter_channels(
    x: keras.KerasTensor, kernel: int, stride: int, name: str, padding: str = "symmetric"
) -> keras.KerasTensor:
    """A depthwise convolution without bias."""
    x, padding = pad(x, kernel, stride, name, padding)
    options = {"padding": padding, "data_format": LAST, "use_bias": False, "name": name}
    return layers.DepthwiseConv2D(kernel, stride, depthwise_initializer=convolution_initializer(), **options)(x)


def pad(x: keras.KerasTensor, kernel: int, stride: int, name: str, padding: str) -> tuple[keras.KerasTensor, str]:
    """Pads by `kernel // 2` where "same" would not be symmetric; returns the padding that Keras still has to do."""
    if stride == 1 or padding == "same":
        return x, "same"
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, data_format=LAST, name=f"{name}_pad")(x)
    return x, "valid"


def normalise(x: keras.KerasTensor, epsilon: float, name: str) -> keras.KerasTensor:
    """Batch norm over the last axis."""
    return layers.BatchNormalization(axis=-1, momentum=MOMENTUM, epsilon=epsilon, name=name)(x)


def activate(x: keras.KerasTensor, activation: str, name: str) -> keras.KerasTensor:
    """The activation as a layer; none for "linear"."""
    return x if activation == "linear" else layers.Activation(activation, name=name)(x)


def convolution_initializer() -> keras.Initializer:
    """He normal over the outputs (arXiv:1502.01852); a fresh one each time, for one instance repeats its draw."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def dense_initializer() -> keras.Initializer:
    """Normal with standard deviation 0.01, as torchvision's MobileNetV3."""
    return keras.initializers.RandomNormal(stddev=0.01)


@functools.singledispatch
def add_row(row: Row, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Adds the layers of one row behind `x` (N, H, W, C or N, C); their names begin with `name`."""
    raise NotImplementedError(f"{type(row).__name__} has no layers: register a function for it with add_row.register")


@dataclasses.dataclass(frozen=True)
class Conv(StridedRow):
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
    scaled: ClassVar[tuple[str, ...]] = ("units",)

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


@add_row.register
def _(row: Conv, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = convolve(x, row.channels, row.kernel, row.stride, f"{name}_conv", row.padding)
    return activate(normalise(x, row.epsilon, f"{name}_bn"), row.activation, f"{name}_activation")


@add_row.register
def _(row: MaxPool, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x, padding = pad(x, row.kernel, row.stride, f"{name}_max_pool", row.padding)
    return layers.MaxPooling2D(row.kernel, row.stride, padding, data_format=LAST, name=f"{name}_max_pool")(x)


@add_row.register
def _(row: Pool, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.GlobalAveragePooling2D(data_format=LAST, keepdims=row.keep_map, name=f"{name}_pool")(x)


@add_row.register
def _(row: Flatten, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.Flatten(data_format=LAST, name=f"{name}_flatten")(x)


@add_row.register
def _(row: Dense, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.Dense(row.units, kernel_initializer=dense_initializer(), name=f"{name}_dense")(x)
    return activate(x, row.activation, f"{name}_activation")
