"""Which PyTorch module computes what a stock Keras layer does, and the modules without weights."""

import functools
from collections.abc import Callable

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


class Fold(nn.Module):
    """Add or Multiply: an operation of two maps, over all inputs in their order."""

    def __init__(self, operation: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]):
        super().__init__()
        self.operation = operation

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return functools.reduce(self.operation, inputs)


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


def module_of(layer: keras.Operation) -> nn.Module:
    """The PyTorch module that computes what a layer does; one that runs Keras's own layer where there is no other."""
    last = getattr(layer, "data_format", LAST) == LAST
    known = getattr(getattr(layer, "activation", None), "__name__", None) in modules.ACTIVATIONS
    match layer:
        case layers.Conv2D() | layers.DepthwiseConv2D() if (
            last and known and getattr(layer, "depth_multiplier", 1) == 1
        ):
            return modules.Convolution(layer, _padding(layer, layer.kernel_size, layer.dilation_rate))
        case layers.BatchNormalization(renorm=False) if layer.axis in (-1, 3) and len(layer.input.shape) == 4:
            return modules.BatchNorm(layer)
        case layers.Activation() if known:
            return modules.ACTIVATIONS[layer.activation.__name__]()
        case layers.ReLU(max_value=None | 6, negative_slope=0, threshold=0):
            return nn.ReLU() if layer.max_value is None else nn.ReLU6()
        case layers.Dense(lora_enabled=False) if known and len(layer.input.shape) == 2:
            return modules.Linear(layer)
        case layers.Dropout(noise_shape=None) if type(layer) is layers.Dropout:  # a SpatialDropout2D drops maps
            return nn.Dropout(layer.rate)
        case layers.ZeroPadding2D() if last:
            return nn.ZeroPad2d((*layer.padding[1], *layer.padding[0]))
        case layers.MaxPooling2D() | layers.AveragePooling2D() if last:
            return _pooling(layer)
        case layers.GlobalAveragePooling2D() if last:
            mean = nn.AdaptiveAvgPool2d(1)  # a mean to PyTorch; in ONNX, runtimes know this pooling best
            return mean if layer.keepdims else nn.Sequential(mean, nn.Flatten())
        case layers.Flatten() if tuple(layer.input.shape[1:-1]) in ((), (1, 1)):
            return nn.Flatten()  # of a larger map the order of the values differs
        case layers.Concatenate():
            return Join(FIRST_AXES[layer.axis % 4] if len(layer.output.shape) == 4 else layer.axis)
        case layers.Rescaling():
            return modules.Rescale(layer)
        case layers.Add():
            return Fold(torch.add)
        case layers.Multiply():
            return Fold(torch.mul)
        case GetItem():
            return Part()
    return KerasLayer(layer)


def _pooling(layer: layers.MaxPooling2D | layers.AveragePooling2D) -> nn.Module:
    left, right, top, bottom = padding = _padding(layer, layer.pool_size)
    if isinstance(layer, layers.MaxPooling2D):
        if even(padding):
            return nn.MaxPool2d(layer.pool_size, layer.strides, even(padding))
        pad = nn.ConstantPad2d(padding, -float("inf"))
        return nn.Sequential(pad, nn.MaxPool2d(layer.pool_size, layer.strides))
    if left or top:
        return KerasLayer(layer)
    # what a window that begins inside may reach over lies on the right and at the bottom
    return nn.AvgPool2d(layer.pool_size, layer.strides, ceil_mode=right + bottom > 0, count_include_pad=False)


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
