"""The modules without weights of a PyTorch program: what joins, splits, reorders and averages maps (N, C, H, W)."""

import functools

import torch
from torch import nn
from torch.nn import functional

from kerastrash.backends.torch_modules import to_first, to_last


class GlobalMean(nn.Module):
    """GlobalAveragePooling2D."""

    def __init__(self, keepdims: bool):
        super().__init__()
        self.keepdims = keepdims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.adaptive_avg_pool2d(x, 1)  # a mean to PyTorch; in ONNX, runtimes know this pooling best
        return x if self.keepdims else x.flatten(1)


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
