"""Files that PyTorch writes. torch is imported on the first read, for a Keras on another backend needs none of it."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerastrash.errors import ModelError

WRAPPERS = ("state_dict", "model_state_dict", "model")  # where training scripts keep the state within a checkpoint


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Reads a `state_dict`, or the one inside a checkpoint, as float32 arrays in PyTorch's order; runs no pickled code.

    Raises:
        ModelError: torch is not installed, the file is damaged, holds anything but tensors, or would run code.
    """
    try:
        import torch
    except ImportError:
        raise ModelError(f"{path}: reading it needs PyTorch; pip install torch") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{path}: not a plain file of tensors ({reason}); save it again with torch.save(net.state_dict(), path)"
        ) from error
    state = _unwrapped(state)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path}: holds no state_dict; save one with torch.save(net.state_dict(), path)")
    return {key: value.detach().float().numpy() for key, value in state.items()}


def _unwrapped(state: object) -> object:
    """The state within a checkpoint, or what was given."""
    if isinstance(state, Mapping):
        for name in WRAPPERS:
            if isinstance(state.get(name), Mapping):
                return state[name]
    return state
