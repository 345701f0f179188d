"""What runs a net at inference: the Keras backend itself, or ONNX Runtime on an exported file."""

import contextlib
import importlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Literal, Protocol

import keras
import numpy as np

from kerastrash.backends import Inference, device_description, inference_function
from kerastrash.backends.processor import processor_name
from kerastrash.errors import ConfigError, ModelError
from kerastrash.files import atomic_path
from kerastrash.models.saved import image_size, open_model

RuntimeKind = Literal["keras", "onnx"]


class Runtime(Protocol):
    """A net that is open and ready to answer."""

    name: str
    """Such as `keras-torch` or `onnxruntime`."""
    input_size: int
    """Side in pixels of the square images it takes."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images (batch, size, size, 3), uint8 or float, RGB in [0, 255], to logits (batch, classes), float32."""
        ...


@dataclass(frozen=True)
class OpenNet:
    """A runtime around one function."""

    name: str
    input_size: int
    classes: int
    device: str
    run: Inference = field(repr=False)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.run(images)


def keras_runtime(model: keras.Model | Path | str) -> OpenNet:
    """Opens a model, or a `.keras` file, on the active backend; the threads are those of `backends.set_threads`.

    Raises:
        ModelError: the file cannot be opened, or is no classifier of square images.
    """
    model = model if isinstance(model, keras.Model) else open_model(model)
    size = image_size(model)
    name = f"keras-{keras.backend.backend()}"
    return OpenNet(name, size, model.output_shape[1], device_description(), inference_function(model))


def onnx_runtime(model: keras.Model | Path | str, threads: int = 1) -> OpenNet:
    """Opens a model (exported to a temporary file), or an `.onnx` file, in ONNX Runtime on the processor.

    Args:
        threads: of one operation; operations run one after the other.

    Raises:
        ConfigError: the onnx extra is not installed, `threads` is below 1, or a model is given on another backend
            than torch, the one that Keras exports from without TensorFlow's converter.
        ModelError: the file is missing or no ONNX classifier of square images.
    """
    if threads < 1:
        raise ConfigError(f"threads={threads} is below 1: give the number of processor threads to use, 1 or more")
    if isinstance(model, keras.Model):
        with tempfile.TemporaryDirectory() as folder:
            return onnx_runtime(export_onnx(model, Path(folder) / "model.onnx"), threads)
    session = _open_session(Path(model), threads)
    (entry,), (answer,) = session.get_inputs(), session.get_outputs()

    def run(images: np.ndarray) -> np.ndarray:
        return session.run(None, {entry.name: np.asarray(images, "float32")})[0]

    return OpenNet("onnxruntime", entry.shape[1], answer.shape[1], processor_name(), run)


def open_runtime(path: Path, kind: RuntimeKind, threads: int) -> OpenNet:
    """Opens a file in the runtime that reads it: a `.keras` file for `keras`, an `.onnx` file for `onnx`."""
    return keras_runtime(path) if kind == "keras" else onnx_runtime(path, threads)


def conditions(runtime: str, device: str, threads: int) -> str:
    """What a time was measured on, such as `keras-torch, NVIDIA H100, 1 thread`."""
    return f"{runtime}, {device}, {threads} thread{'s' if threads > 1 else ''}"


def export_onnx(model: keras.Model, path: Path) -> Path:
    """Writes the model as an ONNX file of any batch size, atomically, and returns its path.

    Raises:
        ConfigError: the onnx extra is not installed, or the active backend is not torch.
    """
    for name in ("onnx", "onnxscript"):
        _extra(name)
    if keras.backend.backend() != "torch":
        raise ConfigError(
            f"KERAS_BACKEND={keras.backend.backend()} does not export to ONNX here: set KERAS_BACKEND=torch"
        )
    keras_runtime(model)(np.zeros((1, *model.input_shape[1:]), "uint8"))  # Keras refuses a net never called
    with atomic_path(path) as temporary, _silence():
        model.export(str(temporary), format="onnx", verbose=False)
    return path


def _open_session(path: Path, threads: int):
    runtime = _extra("onnxruntime")
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path of the ONNX model")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors only
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        reason = str(error).strip()[:200]
        raise ModelError(f"{path}: ONNX Runtime cannot open it ({reason}); export it again") from error
    shapes = [value.shape for value in (*session.get_inputs(), *session.get_outputs())]
    if [len(shape) for shape in shapes] != [4, 2] or not all(isinstance(side, int) for side in shapes[0][1:]):
        raise ModelError(f"{path}: its shapes are {shapes}; give a net from (batch, size, size, 3) to (batch, classes)")
    return session


def _extra(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f'{name} is not installed: run pip install "kerastrash[onnx]"') from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hides the exporter's notes on tracing; what matters, the outputs, is compared by the tests."""
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
