"""A model as it would run on a device: written in a format and opened in that format's runtime."""

import tempfile
from pathlib import Path

import keras

from kerastrash.export.formats import FORMATS, FormatName
from kerastrash.export.open_net import OpenNet
from kerastrash.export.runtimes import open_runtime
from kerastrash.export.runtimes.keras_net import keras_runtime
from kerastrash.export.writers import write_model


def open_as(model: keras.Model, name: FormatName, threads: int = 1) -> OpenNet:
    """Opens a model in the runtime of a format, by way of a temporary file; in Keras itself for `keras`.

    Raises:
        ConfigError: the format's extra is not installed.
    """
    if name == "keras":
        return keras_runtime(model)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        return open_runtime(write_model(model, name, Path(folder) / f"model{FORMATS[name].suffix}"), threads)
