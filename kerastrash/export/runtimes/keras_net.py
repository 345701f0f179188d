"""Runs a `.keras` file, or a model, on the active Keras backend."""

from pathlib import Path

import keras

from kerastrash.backends import device_description, inference_function
from kerastrash.export.open_net import OpenNet
from kerastrash.models.saved import image_size, open_model


def keras_runtime(model: keras.Model | Path | str) -> OpenNet:
    """Opens a model, or a `.keras` file, on the active backend; the threads are those of `backends.set_threads`.

    Raises:
        ModelError: the file cannot be opened, or is no classifier of square images.
    """
    model = model if isinstance(model, keras.Model) else open_model(model)
    size = image_size(model)
    name = f"keras-{keras.backend.backend()}"
    return OpenNet(name, size, model.output_shape[1], device_description(), inference_function(model))
