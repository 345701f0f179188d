"""Each stock Keras layer as a plain PyTorch module on (N, C, H, W) tensors in channels_last memory format.

A module's parameters are views of the layer's own variables: `share` gives a kernel the memory order that PyTorch's
channels_last convolutions want, (out, height, width, in), without changing what Keras sees, so nothing is ever copied
between the two and whatever trains the modules trains the Keras model.
"""

import keras
import torch
from keras import layers
from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hard_swish": nn.Hardswish,
    "hard_silu": nn.Hardswish,
    "hard_sigmoid": nn.Hardsigmoid,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
}
Sides = tuple[int, int, int, int]
"""Pixels that a layer adds around a map, as PyTorch has them: left, right, top, bottom."""


def even(padding: Sides) -> tuple[int, int] | None:
    """Pixels in height and width, where two opposite sides have the same; else None."""
    left, right, top, bottom = padding
    return (top, left) if (top, left) == (bottom, right) else None


def share(variable: keras.Variable, order: tuple[int, ...]) -> nn.Parameter:
    """The variable's memory as a parameter with its axes in `order`, laid out for channels_last convolutions.

    The variable keeps its value and shape; only the strides of its tensor change.
    """
    value = variable.value
    ordered = value.detach().permute(order)
    ordered = ordered.contiguous(memory_format=torch.channels_last) if len(order) == 4 else ordered.contiguous()
    value.data = ordered.permute([order.index(axis) for axis in range(len(order))])
    return nn.Parameter(ordered, requires_grad=variable.trainable)


def laid_out_as(value: torch.Tensor, state: keras.Variable) -> torch.Tensor:
    """The memory of a variable, put in the order of another tensor of its shape; Keras sees no change."""
    state.value.data = torch.empty_strided(value.shape, value.stride(), device=value.device).copy_(state.value.detach())
    return state.value.detach()


class Convolution(nn.Module):
    """Conv2D or DepthwiseConv2D, its padding and its activation.

    Where the sides are padded unevenly, `uneven` has the pixels, and `padding` is zero.
    """

    def __init__(self, layer: layers.Conv2D | layers.DepthwiseConv2D, padding: Sides):
        super().__init__()
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        self.weight = share(layer.kernel, (2, 3, 0, 1) if depthwise else (3, 2, 0, 1))  # to (out, in, height, width)
        self.bias = share(layer.bias, (0,)) if layer.use_bias else None
        self.stride, self.dilation = tuple(layer.strides), tuple(layer.dilation_rate)
        self.padding, self.uneven = even(padding) or (0, 0), None if even(padding) else padding
        self.groups = self.weight.shape[0] if depthwise else layer.groups
        self.dtype = getattr(torch, layer.compute_dtype)
        self.pooled = self.groups == 1 and tuple(layer.input.shape[1:3]) == tuple(layer.kernel_size) == (1, 1)
        self.activation = ACTIVATIONS[layer.activation.__name__]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = cast(self.weight, self.dtype), cast(self.bias, self.dtype)
        x = cast(x, self.dtype)
        if self.uneven:
            x = functional.pad(x, self.uneven)
        if self.pooled and self.training:  # a third of the convolution's time; in exported files runtimes see to that
            x = functional.linear(x.flatten(1), weight.flatten(1), bias)[..., None, None]
        else:
            x = functional.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        return self.activation(x)


class BatchNorm(nn.Module):
    """BatchNormalization through PyTorch's fused kernel: 16-bit inputs, float32 statistics.

    In training the batch's statistics are kept in `mean` and `unbiased`, from which `update.update_statistics` moves
    the moving ones, for all layers at once.
    """

    def __init__(self, layer: layers.BatchNormalization):
        super().__init__()
        self.weight = share(layer.gamma, (0,)) if layer.scale else None
        self.bias = share(layer.beta, (0,)) if layer.center else None
        self.moving_mean, self.moving_variance = layer.moving_mean.value.data, layer.moving_variance.value.data
        self.mean, self.unbiased = torch.zeros_like(self.moving_mean), torch.zeros_like(self.moving_mean)
        self.count = 1
        self.kept, self.epsilon = layer.momentum, layer.epsilon
        self.learns = layer.trainable

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        affine = self.weight, self.bias
        if not (self.training and self.learns):
            return functional.batch_norm(x, self.moving_mean, self.moving_variance, *affine, False, 0.0, self.epsilon)
        self.count = x.numel() // x.shape[1]
        return functional.batch_norm(x, self.mean, self.unbiased, *affine, True, 1.0, self.epsilon)


class Rescale(nn.Module):
    """Rescaling by a number or by one a channel."""

    def __init__(self, layer: layers.Rescaling):
        super().__init__()
        for name, value in (("scale", layer.scale), ("offset", layer.offset)):
            channels = keras.ops.convert_to_tensor(value, layer.compute_dtype)  # on the device that Keras computes on
            self.register_buffer(name, channels.reshape(-1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = cast(x, self.offset.dtype)
        return x + self.offset if self.scale is None else torch.addcmul(self.offset, x, self.scale)


class Linear(nn.Module):
    """Dense, in its own dtype."""

    def __init__(self, layer: layers.Dense):
        super().__init__()
        self.weight = share(layer.kernel, (1, 0))
        self.bias = share(layer.bias, (0,)) if layer.use_bias else None
        self.dtype = getattr(torch, layer.compute_dtype)
        self.activation = ACTIVATIONS[layer.activation.__name__]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = cast(self.weight, self.dtype), cast(self.bias, self.dtype)
        return self.activation(functional.linear(cast(x, self.dtype), weight, bias))


class KerasLayer(nn.Module):
    """Any other layer or operation, run by Keras itself on (N, H, W, C)."""

    def __init__(self, layer: keras.Operation):
        super().__init__()
        self.layer = layer

    def forward(self, *inputs, **keywords):
        moved = keras.tree.map_structure(lambda x: to_last(x) if isinstance(x, torch.Tensor) else x, inputs)
        if getattr(self.layer, "_call_has_training_arg", False):
            keywords = {"training": self.training, **keywords}
        return to_first(self.layer(*moved, **keywords))


def cast(x: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
    """The tensor in this dtype; itself where it is, so that an exported graph holds no cast that does nothing."""
    return x if x is None or x.dtype == dtype else x.to(dtype)


def to_last(x: torch.Tensor) -> torch.Tensor:
    """A view (N, H, W, C) of a map (N, C, H, W); anything else as it is."""
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x


def to_first(x: torch.Tensor) -> torch.Tensor:
    """The inverse of `to_last`: for contiguous maps in channels_last memory format."""
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x
