"""One file a format that is written, imported on use."""

import importlib
from dataclasses import replace
from pathlib import Path

import keras

from kerastrash.errors import KerastrashError, ModelError
from kerastrash.export.description import Description
from kerastrash.export.float32 import in_float32
from kerastrash.export.formats import FormatName
from kerastrash.export.needs import check_packages, check_precision
from kerastrash.export.outputs import gives_probabilities, without_softmax
from kerastrash.export.staging import staged
from kerastrash.export.worker import write_elsewhere

_WRITERS = {
    "keras": ("kerastrash.export.writers.keras_file", "write_keras", None),
    "onnx": ("kerastrash.export.writers.onnx", "write_onnx", "torch"),
    "openvino": ("kerastrash.export.writers.openvino", "write_openvino", None),
    "litert": ("kerastrash.export.writers.litert", "write_litert", "tensorflow"),
    "torch": ("kerastrash.export.writers.torch", "write_torch", "torch"),
    "saved_model": ("kerastrash.export.writers.saved_model", "write_saved_model", "tensorflow"),
}
"""Module, function, and the Keras backend that it needs; where another one is active, a process of its own has it."""


def write_model(model: keras.Model, name: FormatName, path: Path | str, description: Description | None = None) -> Path:
    """Writes the model in a format, atomically, unchecked (`export_model` also checks it), and returns its path.

    Args:
        model: of any dtype policy; it is rebuilt in float32 on the processor first.
        description: kept in the file. Its `softmax` puts one into the net, where there is none yet.

    Raises:
        ConfigError: the format's packages are not installed, or it has no such precision.
        ModelError: the net cannot be written in this format.
        FileError: the file cannot be written.
    """
    path, description = Path(path), description or Description()
    check_precision(name, description.precision)
    check_packages(name, writing_only=True)
    module, function, backend = _WRITERS[name]
    with staged(path) as place, keras.device("cpu"):
        description = replace(description, softmax=description.softmax or gives_probabilities(model))
        model = without_softmax(in_float32(model))
        try:
            if backend in (None, keras.backend.backend()):
                getattr(importlib.import_module(module), function)(model, place, description)
            else:
                write_elsewhere(model, name, place, description, backend)
        except (KerastrashError, OSError):
            raise
        except Exception as error:  # each converter raises what it likes
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ModelError(
                f"{model.name}: this net cannot be written as {name} ({reason}); choose another format"
            ) from error
    return path
