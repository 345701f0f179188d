"""TensorFlow's SavedModel: written and run by TensorFlow."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerastrash.backends import tensorflow
from kerastrash.errors import ConfigError
from kerastrash.export.description import KEY, Description
from kerastrash.export.nets import OpenNet, as_dtype, cannot_open, in_pieces, signature_of

if TYPE_CHECKING:
    import keras


def write_saved_model(model: "keras.Model", path: Path, description: Description) -> None:
    """Writes the model as a folder, with one signature of any batch size; the description is in `assets.extra`."""
    from kerastrash.export.graph import with_softmax  # what only opens files needs no Keras

    tensorflow.write_saved_model(with_softmax(model) if description.softmax else model, path)
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / f"{KEY}.json").write_text(description.to_json(), encoding="utf-8")


def saved_model_runtime(path: Path, threads: int) -> OpenNet:
    """Opens the folder of a SavedModel by its default signature; see `open_runtime`.

    Raises:
        ConfigError: TensorFlow has already started with another number of threads.
        ModelError: the folder is damaged, or holds no classifier of square images.
    """
    if not tensorflow.set_threads(threads):
        raise ConfigError(
            f"threads={threads} cannot be set: TensorFlow has already started with another number in this process; "
            "give the same number to all its models, or open the model in a process of its own"
        )
    try:
        saved = tensorflow.open_saved_model(path)
    except Exception as error:  # TensorFlow's own exceptions share no base class with Python's that it raises too
        raise cannot_open(path, "TensorFlow", error) from error
    signature = signature_of(path, saved.inputs, saved.outputs, saved.dtype)

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(saved.run(as_dtype(images, signature.dtype)), "float32")

    return OpenNet(
        name="tensorflow",
        input_size=signature.size,
        classes=signature.classes,
        device=saved.device,
        run=in_pieces(run, signature.batch),
        description=Description.from_json(_description(path), path),
    )


def _description(path: Path) -> bytes | None:
    file = path / "assets.extra" / f"{KEY}.json"
    return file.read_bytes() if file.is_file() else None
