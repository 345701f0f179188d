"""Writes a model as a program of torch.export."""

from pathlib import Path

import keras

from kerastrash.backends import torch_export
from kerastrash.export.description import KEY, Description


def write_torch(model: keras.Model, path: Path, description: Description) -> None:
    """Writes the model as a `.pt2` file of any batch size, the description among its extra files."""
    torch_export.write_program(model, path, description.softmax, {f"{KEY}.json": description.to_json()})
