"""Which PyTorch module computes what a stock Keras layer does, and the modules without weights."""

import functools

import keras
import torch
from keras import layers
from keras.src.ops.numpy import GetItem
from torch import nn

from kerastrash.backends.torch import modules
from kerastrash.backends.torch.modules import KerasLayer, Sides, even, to_first, to_last

LAST = "channels_last"
FIRST_AXES = {1: 2, 2: 3, 3: 1}
"""The axes of (N, H, W, C) as they stand in (N, C, H, W)."""


class Sum(nn.Module):
    """Add."""

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return functools.reduce(torch.add, inputs)


class Product(nn.Module):
    """Multiply."""

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return functools.reduce(torch.mul, inputs)


class Join(nn.Module):
    """Concatenate."""

    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat(inputs, self.axis)


class Part(nn.Module):
    """Slicing, such as `x[..., :8]`, with the key that Keras applies to (N, H, W, C)."""

    def forward(self, x: torch.Tensor, key) -> torch.Tensor:
        key = tuple(key) if isinstance(key, list) else key
        if x.ndim == 4 and isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis:
            return x[:, key[1]]  # of channels, by far the commonest: no transposes around it in an exported graph
        return to_first(to_last(x)[key])


class Interleave(nn.Module):
    """The channel shuffle of ShuffleNet, in Keras a Reshape, a Permute and a Reshape."""

    def __init__(self, groups: int, channels: int, height: int, width: int):
        super().__init__()
        self.groups, self.map = groups, (channels, height, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.onnx.is_in_onnx_export():  # three operations that runtimes know as one
            channels, height, width = self.map
            x = x.reshape(-1, self.groups, channels // self.groups, height, width)
            return x.transpose(1, 2).reshape(-1, channels, height, width)
        return to_first(to_last(x).unflatten(-1, (self.groups, -1)).transpose(-1, -2).flatten(-2))


@functools.singledispatch
def module_of(layer: keras.Operation) -> nn.Module:
    """The PyTorch module that computes what a layer does; one that runs Keras's own layer where there is no other."""
    return KerasLayer(layer)


@module_of.register
def _(layer: layers.Conv2D | layers.DepthwiseConv2D) -> nn.Module:
    if layer.data_format != LAST or getattr(layer, "depth_multiplier", 1) > 1 or not _known(layer):
        return KerasLayer(layer)
    return modules.Convolution(layer, _padding(layer, layer.kernel_size, layer.dilation_rate))


@module_of.register
def _(layer: layers.BatchNormalization) -> nn.Module:
    last = layer.axis in (-1, 3) and len(layer.input.shape) == 4
    return modules.BatchNorm(layer) if last and not layer.renorm else KerasLayer(layer)


@module_of.register
def _(layer: layers.Activation) -> nn.Module:
    return modules.ACTIVATIONS[layer.activation.__name__]() if _known(layer) else KerasLayer(layer)


@module_of.register
def _(layer: layers.ReLU) -> nn.Module:
    forms = {None: nn.ReLU, 6: nn.ReLU6}
    plain = layer.max_value in forms and not layer.negative_slope and not layer.threshold
    return forms[layer.max_value]() if plain else KerasLayer(layer)


@module_of.register
def _(layer: layers.Dense) -> nn.Module:
    plain = len(layer.input.shape) == 2 and _known(layer) and not layer.lora_enabled
    return modules.Linear(layer) if plain else KerasLayer(layer)


@module_of.register
def _(layer: layers.Dropout) -> nn.Module:
    return nn.Dropout(layer.rate) if layer.noise_shape is None else KerasLayer(layer)


@module_of.register
def _(layer: layers.ZeroPadding2D) -> nn.Module:
    (top, bottom), (left, right) = layer.padding
    return nn.ZeroPad2d((left, right, top, bottom))


@module_of.register
def _(layer: layers.MaxPooling2D) -> nn.Module:
    padding = _padding(layer, layer.pool_size)
    if layer.data_format != LAST:
        return KerasLayer(layer)
    if even(padding):
        return nn.MaxPool2d(layer.pool_size, layer.strides, even(padding))
    pad = nn.ConstantPad2d(padding, -float("inf"))
    return nn.Sequential(pad, nn.MaxPool2d(layer.pool_size, layer.strides))


@module_of.register
def _(layer: layers.AveragePooling2D) -> nn.Module:
    left, right, top, bottom = _padding(layer, layer.pool_size)
    if layer.data_format != LAST or left or top:
        return KerasLayer(layer)
    # what a window that begins inside may reach over lies on the right and at the bottom
    return nn.AvgPool2d(layer.pool_size, layer.strides, ceil_mode=right + bottom > 0, count_include_pad=False)


@module_of.register
def _(layer: layers.GlobalAveragePooling2D) -> nn.Module:
    mean = nn.AdaptiveAvgPool2d(1)  # a mean to PyTorch; in ONNX, runtimes know this pooling best
    return mean if layer.keepdims else nn.Sequential(mean, nn.Flatten())


@module_of.register
def _(layer: layers.Flatten) -> nn.Module:
    pooled = tuple(layer.input.shape[1:-1]) in ((), (1, 1))  # of a larger map the order of the values differs
    return nn.Flatten() if pooled else KerasLayer(layer)


@module_of.register
def _(layer: layers.Concatenate) -> nn.Module:
    dimensions = len(layer.output.shape)
    axis = layer.axis % dimensions
    return Join(FIRST_AXES[axis] if dimensions == 4 else axis)


module_of.register(layers.Rescaling, modules.Rescale)
module_of.register(layers.Add, lambda layer: Sum())
module_of.register(layers.Multiply, lambda layer: Product())
module_of.register(GetItem, lambda operation: Part())


def _known(layer: keras.Layer) -> bool:
    return layer.activation.__name__ in modules.ACTIVATIONS


def _padding(layer: keras.Layer, window: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> Sides:
    """The pixels around a map that a convolution or a pooling over (height, width) pixels adds by its `padding`."""
    if layer.padding == "valid":
        return 0, 0, 0, 0
    sides = []
    for side, kernel, stride, step in zip(layer.input.shape[1:3], window, layer.strides, dilation, strict=True):
        covered = (kernel - 1) * step + 1
        total = max((-(-side // stride) - 1) * stride + covered - side, 0)
        sides += [total // 2, total - total // 2]
    top, bottom, left, right = sides
    return left, right, top, bottom
