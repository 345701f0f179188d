"""A tiny net, its training on the coloured squares, and the figures that trainings are compared by."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerastrash.files import read_csv
from kerastrash.models import build_model
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.mobilenet_v3 import InvertedResidual
from kerastrash.models.saved import open_model
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.fit import Training, train
from kerastrash.training.recipe import Recipe

ROWS = (Conv(8, kernel=3, stride=2), InvertedResidual(3, 2, 8, True, True, 1), Conv(16), Pool())


@pytest.fixture(scope="session")
def build() -> Callable[[], keras.Model]:
    return lambda: build_model(ROWS, 16, classes=3)


@pytest.fixture(scope="session")
def trained(coloured_squares, build) -> Callable[..., Training]:
    """Trains the tiny net, or another, by a recipe in a folder."""

    def run(recipe: Recipe, folder: Path, net: Callable[[], keras.Model] = build, **more) -> Training:
        return train(net, coloured_squares, recipe, folder, **more)

    return run


@pytest.fixture(scope="session")
def figures() -> Callable[..., np.ndarray]:
    """Columns of a training's metrics: float64 (epochs, columns)."""
    return lambda folder, *names: np.array(
        [[float(row[name]) for name in names] for row in read_csv(folder / "metrics.csv")]
    )


@pytest.fixture(scope="session")
def kept_f1(coloured_squares) -> Callable[[Training], float]:
    """Macro F1 of the file that a training kept, on the validation split."""
    return lambda training: evaluate(open_model(training.model), coloured_squares.split("val")).macro_f1
