"""Writes a model as ONNX."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from kerastrash.errors import ConfigError
from kerastrash.export.description import Description
from kerastrash.export.extras import extra
from kerastrash.export.runtimes.keras_net import keras_runtime
from kerastrash.files import atomic_path


def write_onnx(model: keras.Model, path: Path, description: Description) -> Path:
    """Writes the model as an ONNX file of any batch size, atomically, and returns its path.

    Raises:
        ConfigError: the onnx extra is not installed, or the active backend is not torch.
    """
    for name in ("onnx", "onnxscript"):
        extra(name, "onnx")
    if keras.backend.backend() != "torch":
        raise ConfigError(
            f"KERAS_BACKEND={keras.backend.backend()} does not export to ONNX here: set KERAS_BACKEND=torch"
        )
    keras_runtime(model)(np.zeros((1, *model.input_shape[1:]), "uint8"))  # Keras refuses a net never called
    with atomic_path(path) as temporary, _silence():
        model.export(str(temporary), format="onnx", verbose=False)
    return path


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
