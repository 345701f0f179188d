"""PyTorch: a functional Keras model as a plain PyTorch program, to run it, to train it and to write it into files.

Taken is a functional or Sequential model of one input, images (batch, height, width, channels), and one output. The
stock layers of image classifiers have modules of their own (`layers`); any other layer or operation is run by Keras.

Promised is that the program computes with the model's own variables, in their own memory: what trains one trains the
other, and files, averages and optimizer state are Keras's. In float32 its outputs are within 1e-5 of the largest of
what Keras computes, and the losses of the first 50 training steps within 1e-3 of stock Keras's.

It runs eagerly unless `torch.compile` is asked for, which needs a minute or more for each net. What opens an exported
program comes by here and needs no Keras, so whatever does is imported on use.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from kerastrash.backends import Inference
from kerastrash.backends.torch.device import check_device, current_device  # noqa: F401 the facade calls the first
from kerastrash.console import say_once
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras

OUT_OF_MEMORY = ("DefaultCPUAllocator", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED", "CUDA error: out of")
"""Words of errors that are no OutOfMemoryError: of the processor, of libraries that allocate for themselves."""


def inference_function(model: "keras.Model") -> Inference:
    from kerastrash.backends.torch.inference import inference_on

    return inference_on(current_device(), model)


def training_model(model: "keras.Model", graphs: bool, compiled: bool) -> "keras.Model":
    from kerastrash.backends.torch.training import ProgramModel

    program = ProgramModel(model.input, model.output, name=model.name)
    program.graphs, program.compiled_program = graphs, compiled
    return program


def release(model: "keras.Model") -> None:
    model.release()


def weight_averager(model: "keras.Model", averages: Sequence["keras.Variable"], variables: Sequence["keras.Variable"]):
    from kerastrash.backends.torch.modules import laid_out_as

    values = [variable.value.detach() for variable in variables]
    kept = [laid_out_as(value, average) for value, average in zip(values, averages, strict=True)]

    @torch.no_grad()
    def move(share: float) -> None:
        torch._foreach_lerp_(kept, values, share)

    return move


def synchronise() -> None:
    if current_device().type == "cuda":
        torch.cuda.synchronize()


def set_tf32(allowed: bool) -> None:
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


def is_out_of_memory(error: Exception) -> bool:
    if not isinstance(error, RuntimeError):
        return False
    # what ends the recording of a CUDA graph is hidden behind CUDA's complaint that the recording ended
    earlier = isinstance(error.__context__, RuntimeError) and is_out_of_memory(error.__context__)
    return earlier or isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in OUT_OF_MEMORY)


def set_threads(threads: int) -> bool:
    torch.set_num_threads(threads)
    return True  # at any time


def thread_count() -> int | None:
    return torch.get_num_threads()


def device_description() -> str:
    device = current_device()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def free_accelerator_memory() -> int:
    device = current_device()
    if device.type != "cuda":
        return 0
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by PyTorch, for its next tensors
    return torch.cuda.mem_get_info(device)[0] + kept


def batch_augmenter():
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"  # by which Triton runs on a processor
    if not interpreted and current_device().type != "cuda":
        return None
    try:
        from kerastrash.backends.torch.augmentation import plan_batch
    except ImportError as error:
        say_once(f"Triton is not installed: augmentation on the GPU takes the slower way; pip install triton ({error})")
        return None
    return plan_batch
