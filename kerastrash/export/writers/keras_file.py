"""Writes a model as a `.keras` file."""

from pathlib import Path

import keras

from kerastrash.export.description import Description
from kerastrash.export.outputs import with_softmax
from kerastrash.models.saved import add_description, save_model


def write_keras(model: keras.Model, path: Path, description: Description) -> None:
    """Writes the model without optimizer; the description is a member of the archive."""
    save_model(with_softmax(model) if description.softmax else model, path)
    add_description(path, description.to_json())
