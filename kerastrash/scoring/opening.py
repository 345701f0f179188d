"""Files opened to be timed: on the accelerator that Keras computes on, where their runtime knows it."""

from pathlib import Path

from kerastrash.backends import device_description, set_tf32
from kerastrash.console import say_once
from kerastrash.export.format import OpenNet
from kerastrash.export.formats import format_of, open_runtime
from kerastrash.runs import processor_name

TF32 = True
"""A GPU rounds what float32 convolutions take to TF32, as in a recipe by default: so would whoever runs a net there."""


def keras_accelerator() -> str:
    """The name of the device that Keras computes on; empty where that is the processor. Starts the backend."""
    device = device_description()
    return "" if device == processor_name() else device


def open_timed(path: Path, threads: int, accelerator: str) -> OpenNet:
    """Opens a model file to be timed.

    Args:
        path, threads: as of `open_runtime`, which also says what is raised.
        accelerator: Keras's, or empty; not asked for here, as a process that opens no .keras file holds no Keras.
    """
    if accelerator and format_of(path).name == "keras":
        set_tf32(TF32)
    return open_runtime(path, threads, accelerator)


def say_device(path: Path, net: OpenNet, accelerator: str) -> None:
    """Says once where a runtime that could use the accelerator of this name stays on the processor, and the remedy."""
    entry = format_of(path)
    if accelerator and entry.gpu_package and net.device != accelerator:
        say_once(
            f"{entry.runtime} runs on the processor and not on {accelerator}: its form for a GPU does not start or is "
            f"not installed; pip install {entry.gpu_package}, in place of {next(iter(entry.opening))}, brings it"
        )


def arithmetic(dtype_policy: str, device: str) -> str:
    """What a net computes in where that is not plain float32: its dtype policy, or `TF32` for float32 on a GPU.

    `device` is empty where nothing ran.
    """
    if dtype_policy != "float32":
        return dtype_policy
    return "TF32" if TF32 and device not in ("", processor_name()) else ""
