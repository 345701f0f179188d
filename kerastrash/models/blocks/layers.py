"""The stock Keras layers that the kinds of row are built of."""

import keras
from keras import layers

LAST = "channels_last"  # stated on every layer: the nets are NHWC whatever keras.json says
MOMENTUM = 0.9  # of the old statistics; PyTorch's default 0.1 is of the new ones


def convolve(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str, padding: str = "symmetric"
) -> keras.KerasTensor:
    """A convolution without bias."""
    x, padding = pad(x, kernel, stride, name, padding)
    layer = layers.Conv2D(
        filters,
        kernel,
        stride,
        padding=padding,
        data_format=LAST,
        use_bias=False,
        kernel_initializer=convolution_initializer(),
        name=name,
    )
    return layer(x)


def filter_channels(
    x: keras.KerasTensor, kernel: int, stride: int, name: str, padding: str = "symmetric"
) -> keras.KerasTensor:
    """A depthwise convolution without bias."""
    x, padding = pad(x, kernel, stride, name, padding)
    layer = layers.DepthwiseConv2D(
        kernel,
        stride,
        padding=padding,
        data_format=LAST,
        use_bias=False,
        depthwise_initializer=convolution_initializer(),
        name=name,
    )
    return layer(x)


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
