"""One file a format that is written, imported on use."""

import importlib
from pathlib import Path

import keras

from kerastrash.export.description import Description
from kerastrash.export.formats import FormatName

_WRITERS = {
    "onnx": ("kerastrash.export.writers.onnx", "write_onnx"),
}


def write_model(model: keras.Model, name: FormatName, path: Path, description: Description | None = None) -> Path:
    """Writes the model in a format, atomically, unchecked (`export_model` also checks it), and returns its path.

    Raises:
        ConfigError: the format's extra is not installed.
    """
    module, function = _WRITERS[name]
    return getattr(importlib.import_module(module), function)(model, path, description or Description())
