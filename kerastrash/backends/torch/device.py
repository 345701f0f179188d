"""The device that Keras computes on, and whether it can do what is asked of it: a sentence where it cannot."""

import re

import torch

from kerastrash.console import say_once
from kerastrash.errors import ConfigError, told

LEAST = {"mixed_float16": (5, 3), "mixed_bfloat16": (8, 0)}
"""Compute capability below which a GPU has no arithmetic of 16 bits of that kind (CUDA C++ Programming Guide)."""
FAST_FLOAT16 = (7, 0)
"""Compute capability from which matrix units compute in float16; below it is no faster than float32, or slower."""
LEAST_FREE = 2**30
"""Bytes: about what CUDA's own state, cuDNN and a small net need."""


def current_device() -> torch.device:
    """The device of Keras.

    Raises:
        ConfigError: PyTorch does not know or does not find it.
    """
    from keras.src.backend.torch.core import get_device

    name = str(get_device())
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"KERAS_TORCH_DEVICE={name}: {told(error)}; set it to cpu or cuda, or leave it out") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"KERAS_TORCH_DEVICE={name}: {_why_no_cuda()}, or set KERAS_TORCH_DEVICE=cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        last = f"cuda:{torch.cuda.device_count() - 1}"
        raise ConfigError(f"KERAS_TORCH_DEVICE={name}: the last GPU here is {last}; set it to one that is there")
    return device


def _why_no_cuda() -> str:
    built = torch.version.cuda or torch.version.hip
    if not built:
        return f"torch {torch.__version__} was built without CUDA; install a build with it (pytorch.org)"
    return (
        f"torch {torch.__version__} was built for CUDA {built} and finds no GPU with a driver for it; look at both by "
        "nvidia-smi and update the driver"
    )


def check_device(dtype_policy: str) -> None:
    device = current_device()
    if device.type != "cuda" or torch.version.hip:  # AMD's GPUs have no compute capability
        return
    _check_capability(torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device), dtype_policy)
    free, total = torch.cuda.mem_get_info(device)
    if free + torch.cuda.memory_reserved(device) < LEAST_FREE:
        raise ConfigError(
            f"{torch.cuda.get_device_name(device)} has {free / 1e9:.1f} GB free of {total / 1e9:.1f} GB: other "
            "processes fill it (nvidia-smi lists them); end them, choose another GPU by CUDA_VISIBLE_DEVICES=1, or "
            "set KERAS_TORCH_DEVICE=cpu"
        )


def _check_capability(name: str, capability: tuple[int, int], dtype_policy: str) -> None:
    shown, architectures = f"{name} has compute capability {_dotted(capability)}", torch.cuda.get_arch_list()
    if not _runs(architectures, capability):
        raise ConfigError(
            f"{shown}, and torch {torch.__version__} was built for {', '.join(architectures)}; install a build for it "
            "(pytorch.org), or set KERAS_TORCH_DEVICE=cpu"
        )
    if capability < (least := LEAST.get(dtype_policy, (0, 0))):
        half = " or mixed_float16" * (capability >= FAST_FLOAT16)
        raise ConfigError(f"dtype_policy={dtype_policy} needs {_dotted(least)}, and {shown}; use float32{half}")
    if dtype_policy == "mixed_float16" and capability < FAST_FLOAT16:
        say_once(f"{shown}: below {_dotted(FAST_FLOAT16)} mixed_float16 saves memory and no time; float32 is as fast")


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


def _runs(architectures: list[str], capability: tuple[int, int]) -> bool:
    """Whether what torch was built for (`sm_90`, `compute_90`) runs there.

    Machine code (sm) runs on its major version from its minor version on; PTX (compute) is translated for all later.
    """
    for kind, *built in re.findall(r"(sm|compute)_(\d+)(\d)", " ".join(architectures)):
        least = tuple(map(int, built))
        if least <= capability and (kind == "compute" or least[0] == capability[0]):
            return True
    return not architectures
