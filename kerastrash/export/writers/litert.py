"""Writes a model for LiteRT, formerly TensorFlow Lite."""

from pathlib import Path

import keras

from kerastrash.backends import tensorflow_export
from kerastrash.export.description import Description
from kerastrash.export.outputs import with_softmax
from kerastrash.models.saved import add_description


def write_litert(model: keras.Model, path: Path, description: Description) -> None:
    """Writes the model as a `.tflite` file of any batch size, of LiteRT's own operations only.

    In float16 the weights are so. A zip archive with the description is joined to the file's end.
    """
    net = with_softmax(model) if description.softmax else model
    tensorflow_export.write_litert(net, path, half=description.precision == "float16")
    add_description(path, description.to_json())
