"""PyTorch: a functional Keras model as a plain PyTorch program, to run it, to train it and to write it into files.

Taken is a functional or Sequential model of one input, images (batch, height, width, channels), and one output. The
stock layers of image classifiers have modules of their own (`layers`); any other layer or operation is run by Keras.

Promised is that the program computes with the model's own variables, in their own memory: what trains one trains the
other, and files, averages and optimizer state are Keras's. In float32 its outputs are within 1e-5 of the largest of
what Keras computes, and the losses of the first 50 training steps within 1e-3 of stock Keras's.

Training gets a Keras model (`kerastrash.backends.training_model`, which says what it wants to be compiled with). It all
runs eagerly: `torch.compile` would need minutes for each net. What opens an exported program comes by here and needs no
Keras, so whatever does is imported on use.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from kerastrash.backends.torch.tensors import keras_device, laid_out_as
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras


def inference_function(model: "keras.Model"):
    """See `kerastrash.backends.inference_function`."""
    from kerastrash.backends.torch.program import lower

    device, program = keras_device(), lower(model)

    @torch.no_grad()
    def run(images: np.ndarray) -> np.ndarray:
        return program(torch.from_numpy(np.require(images, requirements="CW")).to(device)).cpu().numpy()

    return run


def training_model(model: "keras.Model", graphs: bool) -> "keras.Model":
    """See `kerastrash.backends.training_model`."""
    from kerastrash.backends.torch.training import ProgramModel

    program = ProgramModel(model.input, model.output, name=model.name)
    program.graphs = graphs
    return program


def weight_averager(model: "keras.Model", averages: Sequence["keras.Variable"], variables: Sequence["keras.Variable"]):
    """See `kerastrash.backends.weight_averager`."""
    values = [variable.value.detach() for variable in variables]
    kept = [laid_out_as(value, average) for value, average in zip(values, averages, strict=True)]

    @torch.no_grad()
    def move(share: float) -> None:
        torch._foreach_lerp_(kept, values, share)

    return move


def synchronise() -> None:
    """See `kerastrash.backends.synchronise`."""
    if keras_device().type == "cuda":
        torch.cuda.synchronize()


def set_tf32(allowed: bool) -> None:
    """See `kerastrash.backends.set_tf32`."""
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


def is_out_of_memory(error: Exception) -> bool:
    """See `kerastrash.backends.is_out_of_memory`; the processor's allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


def set_threads(threads: int) -> bool:
    """Sets the threads of one operation; PyTorch takes a new number at any time."""
    torch.set_num_threads(threads)
    return True


def thread_count() -> int | None:
    """The threads of one operation now."""
    return torch.get_num_threads()


def device_description() -> str:
    """The GPU's name, or the processor's."""
    device = keras_device()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def free_accelerator_memory() -> int:
    """Bytes free on the CUDA device; 0 without one."""
    device = keras_device()
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
