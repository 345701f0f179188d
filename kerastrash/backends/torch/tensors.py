"""The device and the memory of Keras's tensors; a file of its own, as both the package and its modules need it."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import keras


def keras_device() -> torch.device:
    """The device that Keras computes on."""
    from keras.src.backend.torch.core import get_device

    return torch.device(get_device())


def laid_out_as(value: torch.Tensor, state: "keras.Variable") -> torch.Tensor:
    """The memory of a variable, put in the order of another tensor of its shape; Keras sees no change."""
    state.value.data = torch.empty_strided(value.shape, value.stride(), device=value.device).copy_(state.value.detach())
    return state.value.detach()
