"""Which layers of a net are trained, and how fast: for a net that has learned before."""

import contextlib
import re
from collections.abc import Iterator

import keras

from kerastrash.errors import ConfigError
from kerastrash.models.builder import CLASSIFIER
from kerastrash.training.recipe import Recipe

ROW = re.compile(r"row(\d+)_")


def set_trainable(net: keras.Model, recipe: Recipe) -> None:
    """Makes trainable what the recipe trains, and nothing else, whatever the net was before.

    A frozen batch norm keeps its statistics and normalises by them in training too.

    Raises:
        ConfigError: the net has fewer rows than are to be frozen, or layers that are not named after rows.
    """
    for layer in net._flatten_layers():  # one by one: on tensorflow a net that is trainable does not pass it on
        layer.trainable = True
    frozen = range(1, recipe.freeze + 1)
    rows = {number for layer in net.layers if (number := _row(layer)) is not None}
    if not rows.issuperset(frozen):
        raise ConfigError(
            f"freeze={recipe.freeze}: {net.name} has {f'{len(rows)} rows' if rows else 'no layers named rowNN_...'}; "
            f"freeze at most {len(rows)}"
        )
    for layer in net._flatten_layers(include_self=False):
        norm = isinstance(layer, keras.layers.BatchNormalization)
        if _row(layer) in frozen or (norm and recipe.norms == "frozen"):
            layer.trainable = False


def backbone_rates(net: keras.Model, recipe: Recipe) -> dict[str, float] | None:
    """The share of the learning rate of each variable (by its path) outside the classifier; None where all have 1.

    Raises:
        ConfigError: the net's classifier cannot be told from the rest.
    """
    if recipe.backbone_rate == 1:
        return None
    classifier = next((layer for layer in net.layers if layer.name == CLASSIFIER), None)
    if classifier is None:
        raise ConfigError(
            f"backbone_rate={recipe.backbone_rate}: {net.name} has no layer named {CLASSIFIER}, so the classifier "
            "cannot be told from the rest; leave it at 1"
        )
    own = {variable.path for variable in classifier.variables}
    return {variable.path: recipe.backbone_rate for variable in net.variables if variable.path not in own}


@contextlib.contextmanager
def all_trainable(net: keras.Model) -> Iterator[None]:
    """Inside the block every layer is trainable, so that a file saved there trains whole wherever it is opened."""
    frozen = [layer for layer in net._flatten_layers(include_self=False) if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    try:
        yield
    finally:
        for layer in frozen:
            layer.trainable = False


def _row(layer: keras.Layer) -> int | None:
    """The row, from 1, that a layer belongs to by its name."""
    found = ROW.match(layer.name)
    return int(found[1]) if found else None
