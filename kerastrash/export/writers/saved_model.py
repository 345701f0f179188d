"""Writes a model as TensorFlow's SavedModel."""

from pathlib import Path

import keras

from kerastrash.backends import tensorflow_export
from kerastrash.export.description import KEY, Description
from kerastrash.export.outputs import with_softmax


def write_saved_model(model: keras.Model, path: Path, description: Description) -> None:
    """Writes the model as a folder, with one signature of any batch size; the description is in `assets.extra`."""
    tensorflow_export.write_saved_model(with_softmax(model) if description.softmax else model, path)
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / f"{KEY}.json").write_text(description.to_json(), encoding="utf-8")
