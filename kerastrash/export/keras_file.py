"""`.keras` files: written for inference, run (as models are) on the active Keras backend."""

from dataclasses import replace
from pathlib import Path

import keras

from kerastrash.backends import device_description, inference_function, set_threads
from kerastrash.export.description import Description
from kerastrash.export.graph import gives_probabilities, with_softmax
from kerastrash.export.nets import OpenNet
from kerastrash.models.saved import add_description, image_size, open_model, read_description, save_model


def write_keras(model: keras.Model, path: Path, description: Description) -> None:
    """Writes the model without optimizer; the description is a member of the archive."""
    save_model(with_softmax(model) if description.softmax else model, path)
    add_description(path, description.to_json())


def keras_runtime(model: keras.Model | Path | str, threads: int | None = None) -> OpenNet:
    """Opens a model, or a `.keras` file, on the active backend.

    Args:
        threads: given to `backends.set_threads`; None leaves them as they are.

    Raises:
        ConfigError: the backend has already started with another number of threads.
        ModelError: the file cannot be opened, or is no classifier of square images.
    """
    if threads:
        set_threads(threads)
    description = Description()
    if not isinstance(model, keras.Model):
        path, model = model, open_model(model)
        description = Description.from_json(read_description(path), path)
    return OpenNet(
        name=f"keras-{keras.backend.backend()}",
        input_size=image_size(model),
        classes=model.output_shape[1],
        device=device_description(),
        run=inference_function(model),
        description=replace(description, softmax=description.softmax or gives_probabilities(model)),
    )
