"""Rows, input size, classes, width and depth -> a functional Keras model of stock layers."""

from pathlib import Path

import keras
from keras import layers

from kerastrash.errors import ModelError
from kerastrash.models.blocks import add_row
from kerastrash.models.blocks.layers import dense_initializer
from kerastrash.models.costs import IMAGE_CHANNELS, check_classes, map_sizes
from kerastrash.models.normalisation import IMAGENET, Normalisation
from kerastrash.models.resolve import resolve_rows
from kerastrash.models.row import Rows
from kerastrash.models.scaling import scale_rows

CLASSIFIER = "logits"
"""The name of the dense layer that every net ends with."""


def build_model(
    name_or_rows: str | Path | Rows,
    input_size: int,
    classes: int = 6,
    width: float = 1.0,
    depth: float = 1.0,
    include_preprocessing: bool = True,
    normalisation: Normalisation = IMAGENET,
) -> keras.Model:
    """Builds a net: images in, logits out.

    The model takes (batch, input_size, input_size, 3) RGB in [0, 255], uint8 or float, any batch, and normalises it
    itself; with `include_preprocessing=False` it takes images already normalised. It gives (batch, classes) float32
    logits under any dtype policy. Layers are named `rowNN_...` after the row, counted from 1, that they belong to.

    Args:
        name_or_rows: a preset's name, the path of a .yaml file of rows, or rows.
        input_size: side of the square image in pixels.
        width: multiplies channels, depth: multiplies the rows of each stage; see `scale_rows`.
        normalisation: the one that the weights expect, where they were trained elsewhere.

    Raises:
        ModelError: unknown name, rows that make no net, or a size, class count or multiplier out of range.
    """
    rows = scale_rows(resolve_rows(name_or_rows), width, depth)
    check_classes(classes)
    map_sizes(rows, input_size)  # refuses rows that cannot follow each other or run out of pixels
    inputs = keras.Input((input_size, input_size, IMAGE_CHANNELS), dtype="float32", name="image")
    x = _preprocess(inputs, normalisation) if include_preprocessing else inputs
    for number, row in enumerate(rows, 1):
        x = add_row(row, x, f"row{number:02d}")
    # float32 whatever the policy: softmax and the loss overflow or lose classes in 16 bits
    logits = layers.Dense(classes, kernel_initializer=dense_initializer(), dtype="float32", name=CLASSIFIER)(x)
    return keras.Model(inputs, logits, name=_model_name(name_or_rows))


def _preprocess(images: keras.KerasTensor, normalisation: Normalisation) -> keras.KerasTensor:
    """(RGB - mean) / deviation as one multiply and one add, in float32: 16 bits cannot tell 256 levels apart."""
    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            "keras is set to channels_first, in which Rescaling would scale rows of pixels for colours; "
            'call keras.config.set_image_data_format("channels_last") or mend keras.json'
        )
    return layers.Rescaling(normalisation.scale, normalisation.offset, dtype="float32", name="normalise")(images)


def _model_name(name_or_rows: str | Path | Rows) -> str:
    return Path(name_or_rows).stem if isinstance(name_or_rows, str | Path) else "net"
