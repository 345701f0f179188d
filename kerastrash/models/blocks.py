"""The stock Keras layers of each kind of row, one function a kind, chosen by the row's class."""

import functools

import keras
from keras import layers

from kerastrash.models.row import Row, squeezed_channels
from kerastrash.models.rows import Block, Conv, Dense, Flatten, Pool

LAST = "channels_last"  # stated on every layer: the nets are NHWC whatever keras.json says
MOMENTUM = 0.9  # of the old statistics; PyTorch's default 0.1 is of the new ones


@functools.singledispatch
def add_row(row: Row, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Adds the layers of one row behind `x` (N, H, W, C or N, C); their names begin with `name`."""
    raise NotImplementedError(f"{type(row).__name__} has no layers: register a function for it with add_row.register")


@add_row.register
def _(row: Conv, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = convolve(x, row.channels, row.kernel, row.stride, f"{name}_conv")
    return activate(normalise(x, row.epsilon, f"{name}_bn"), row.activation, f"{name}_activation")


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


@add_row.register
def _(row: Block, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    entered, channels = x, x.shape[-1]
    activation = "hard_swish" if row.hard_swish else "relu"
    if row.expanded_channels(channels) != channels:
        x = convolve(x, row.expanded_channels(channels), 1, 1, f"{name}_expand")
        x = activate(normalise(x, row.epsilon, f"{name}_expand_bn"), activation, f"{name}_expand_activation")
    x = filter_channels(x, row.kernel, row.stride, f"{name}_depthwise")
    x = normalise(x, row.epsilon, f"{name}_depthwise_bn")
    gate_first = row.gates_before_activation(channels)
    if row.squeeze_excite and gate_first:
        x = gate(x, name)
    x = activate(x, activation, f"{name}_depthwise_activation")
    if row.squeeze_excite and not gate_first:
        x = gate(x, name)
    x = normalise(convolve(x, row.channels, 1, 1, f"{name}_project"), row.epsilon, f"{name}_project_bn")
    return layers.Add(name=f"{name}_add")([entered, x]) if row.adds_input(channels) else x


def convolve(x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    """A convolution without bias, padded alike on all sides by `kernel // 2`."""
    x, padding = pad(x, kernel, stride, name)
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


def filter_channels(x: keras.KerasTensor, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    """A depthwise convolution without bias, padded alike on all sides by `kernel // 2`."""
    x, padding = pad(x, kernel, stride, name)
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


def pad(x: keras.KerasTensor, kernel: int, stride: int, name: str) -> tuple[keras.KerasTensor, str]:
    """Pads where "same" would not be symmetric, as PyTorch pads; returns the padding the convolution still needs."""
    if stride == 1:
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


def gate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Squeeze and excitation: ReLU inside, hard-sigmoid gate (MobileNetV3, arXiv:1905.02244, section 5.3)."""
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D(data_format=LAST, keepdims=True, name=f"{name}_squeeze_pool")(x)
    for part, filters, activation in (
        ("squeeze", squeezed_channels(channels), "relu"),
        ("excite", channels, "hard_sigmoid"),
    ):
        scale = layers.Conv2D(
            filters,
            1,
            data_format=LAST,
            activation=activation,
            kernel_initializer=convolution_initializer(),
            name=f"{name}_{part}",
        )(scale)
    return layers.Multiply(name=f"{name}_gate")([x, scale])


def convolution_initializer() -> keras.Initializer:
    """He normal over the outputs (arXiv:1502.01852); a fresh one each time, for one instance repeats its draw."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def dense_initializer() -> keras.Initializer:
    """Normal with standard deviation 0.01, as torchvision's MobileNetV3."""
    return keras.initializers.RandomNormal(stddev=0.01)
