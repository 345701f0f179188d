"""The only place with torch-, jax- or tensorflow-specific code: one module a backend, the active one imported on use.

Each of them has the functions below under the same names, but for the last; `keras.backend.backend()` picks it.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from kerastrash.errors import ConfigError, ModelError
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras

BACKENDS = ("torch", "jax", "tensorflow")

Inference = Callable[[np.ndarray], np.ndarray]


@runtime_checkable
class MomentumSGD(Protocol):
    """An optimizer of `v = m v + g + decay w; w -= rate v` with these members once it is built, and no other state."""

    iterations: "keras.Variable"
    velocities: Sequence["keras.Variable"]
    """One for each trainable variable, in their order."""
    shares: Sequence[float]
    """What each trainable variable takes of the learning rate."""
    l2: float
    """The decay, of variables of rank 2 and more."""

    def settings_at(self, steps: np.ndarray) -> list[tuple[float, float]]:
        """Learning rate and momentum of each of these steps (n,)."""


@dataclass(frozen=True)
class OpenedFile:
    """An exported program that is ready to run, and what it says of itself."""

    run: Inference
    """Images of its own dtype and batch size to its first output, in host memory."""
    inputs: list[Sequence[object]]
    """Shapes; a side that is no number, or below 1, is free."""
    outputs: list[Sequence[object]]
    dtype: str
    """The first input's, such as `float32`."""
    text: str | bytes = ""
    """What was written into the file beside the program."""
    device: str = field(default_factory=processor_name)


def inference_function(model: "keras.Model") -> Inference:
    """Wraps a model in the fastest plain way to run it: no gradients, compiled where that takes seconds.

    Returns:
        A function of images (batch, height, width, 3), uint8 or float, RGB in [0, 255], to logits (batch, classes),
        float32, in host memory: it copies to the device, runs, and returns when the answer is there.
    """
    return _active().inference_function(model)


def training_model(model: "keras.Model", graphs: bool = True, compiled: bool = False) -> "keras.Model":
    """The model in the form in which the active backend trains it fastest, with the same layers, variables and files.

    It goes through Keras's `compile` and `fit`, and beyond rounding computes what the stock model does. To be compiled
    with a `MomentumSGD`, alone or in Keras's LossScaleOptimizer, and a Keras Loss reduced to a mean or a sum, whose
    `call` gives (batch,); to be fitted with batches (images, labels). `graphs` lets torch replay its steps as CUDA
    graphs, `compiled` has it compile the net with `torch.compile`.

    Raises:
        TypeError: from the first step, where it was compiled with anything else (torch).
    """
    return _active().training_model(model, graphs, compiled)


def release(model: "keras.Model") -> None:
    """Gives back what a `training_model` took of the device; the model stays as it is, and can train again."""
    _active().release(model)


def weight_averager(
    model: "keras.Model", averages: Sequence["keras.Variable"], variables: Sequence["keras.Variable"]
) -> Callable[[float], None]:
    """A function that moves each average towards its variable by a share of what lies between them, in one go.

    To be made after the first step of the model's `fit`, whose variables these are, and called between its steps.
    """
    return _active().weight_averager(model, averages, variables)


def synchronise() -> None:
    """Waits until the device has done all that it was told: to be called before a clock is read."""
    _active().synchronise()


def check_device(dtype_policy: str) -> None:
    """Checks that the device is there and can train in this Keras dtype policy; says so once where it is slow in it.

    Raises:
        ConfigError: there is no such device, PyTorch was not built for it, it is too old for the policy, or other
            processes have left less than 1 GB of its memory free (torch).
    """
    _active().check_device(dtype_policy)


def set_tf32(allowed: bool) -> None:
    """Whether a GPU may round the inputs of float32 convolutions and matrix products to TF32 (10 bits)."""
    _active().set_tf32(allowed)


def is_out_of_memory(error: Exception) -> bool:
    """Whether the active backend raised this because its device, or the host, has no memory left."""
    return _active().is_out_of_memory(error)


def set_threads(threads: int, backend: str | None = None) -> None:
    """Limits the arithmetic of a backend, by default the active one, on the processor, for the whole process.

    Raises:
        ConfigError: `threads` is below 1, or the backend has already started with another number (jax, tensorflow).
    """
    if threads < 1:
        raise ConfigError(f"threads={threads} is below 1: give the number of processor threads to use, 1 or more")
    if not _active(backend).set_threads(threads):
        raise ConfigError(
            f"threads={threads} cannot be set: the backend has already started with another number in this process; "
            "give the same number to all models from the first on, or open this one in a process of its own"
        )


def fix_threads(threads: int) -> None:
    """Sets the threads for good on a backend that cannot change them later (jax, tensorflow); torch is left alone.

    To be called before the first model is built by whoever uses `limited_threads` afterwards.
    """
    if _active().thread_count() is None:
        set_threads(threads)


@contextlib.contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Computes with `threads` threads inside the block; afterwards as before, where the backend can (torch)."""
    before = _active().thread_count()
    set_threads(threads)
    try:
        yield
    finally:
        if before:
            set_threads(before)


def device_description() -> str:
    """Names the device that the active backend computes on, such as `NVIDIA H100` or the processor's model name."""
    return _active().device_description()


def free_accelerator_memory() -> int:
    """Bytes free on the device, where it is not the processor and training data can stay on it; else 0."""
    return _active().free_accelerator_memory()


def batch_augmenter() -> Callable[..., Callable[[Any, Any], Any]] | None:
    """What `augment.device.plan_batch` does, by kernels of the active backend for its device; None: it has none.

    Its images are whole values in uint8. Says once on the console what is missing.
    """
    return _active().batch_augmenter()


def read_torch_state(path: Path | str) -> dict[str, np.ndarray]:
    """Reads a `.pt` or `.pth` file (without running what it may hold, in its order) or a `.safetensors` file.

    What reads it is imported then: no matter which backend is active, and Keras on another one needs none of it.

    Raises:
        ModelError: no such file, another suffix, a damaged file, pickled code, or a package that is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path")
    if path.suffix in (".pt", ".pth"):
        try:
            files = importlib.import_module("kerastrash.backends.torch.files")
        except ImportError:
            raise ModelError(f"{path}: reading it needs PyTorch; pip install torch") from None
        return files.read_state(path)
    if path.suffix != ".safetensors":
        suffix = path.suffix or "no suffix"
        raise ModelError(f"{path}: {suffix} is no suffix of weights; give .pt, .pth or .safetensors")
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError:
        raise ModelError(f"{path}: needs the safetensors package; pip install kerastrash[safetensors]") from None
    try:
        return dict(sorted(load_file(path).items()))
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: not a safetensors file of floats ({error}); export the weights again") from error


def _active(backend: str | None = None) -> ModuleType:
    if backend is None:
        import keras  # not with this module: what opens an exported file comes by here and needs no Keras

        backend = keras.backend.backend()
    if backend not in BACKENDS:
        raise ConfigError(f"KERAS_BACKEND={backend} is not supported here: set it to one of {', '.join(BACKENDS)}")
    return importlib.import_module(f"kerastrash.backends.{backend}")
