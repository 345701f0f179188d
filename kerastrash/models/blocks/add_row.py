"""Where a row gets its layers: one function a kind, chosen by the row's class."""

import functools

import keras

from kerastrash.models.row import Row


@functools.singledispatch
def add_row(row: Row, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Adds the layers of one row behind `x` (N, H, W, C or N, C); their names begin with `name`."""
    raise NotImplementedError(f"{type(row).__name__} has no layers: register a function for it with add_row.register")
