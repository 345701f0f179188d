"""A functional Keras model of stock layers from rows, input size, classes, width and depth."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from kerastrash.errors import ModelError, told
from kerastrash.models.base import Rows, is_number, runs
from kerastrash.models.costs import IMAGE_CHANNELS, check_classes, map_sizes
from kerastrash.models.layers import dense_initializer
from kerastrash.models.nets import resolve_rows


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of red, green and blue in [0, 255]: a net sees `(image - mean) / deviation`."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


# The statistics of ImageNet's photographs, the field's usual ones, which are published of RGB in [0, 1].
IMAGENET = Normalisation((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))


def scale_rows(rows: Rows, width: float = 1.0, depth: float = 1.0) -> Rows:
    """The rows of a net made wider or narrower, deeper or shallower; unchanged at 1.0.

    Width multiplies the channels of stem, blocks and heads, rounded to multiples of 8, or of 16 where a block works on
    halves. Depth multiplies the rows of each stage, rounded half up: rows go from the stage's end (one stays), or its
    last row is repeated with stride 1. A stage is a run of blocks with the same output channels.
    Source: width, Howard et al. 2017 (arXiv:1704.04861); depth by stage, Tan and Le 2019 (arXiv:1905.11946).

    Raises:
        ModelError: a multiplier that is no number above 0.
    """
    for name, multiplier in (("width", width), ("depth", depth)):
        if not is_number(multiplier) or multiplier <= 0:
            raise ModelError(f"{name} is {multiplier!r}; give a number above 0, 1.0 for the net as it is")
    scaled = []
    for run in runs(rows):
        length = max(1, math.floor(len(run) * depth + 0.5)) if run[0].repeats else len(run)
        scaled += run[:length]
        if length > len(run):
            scaled += [dataclasses.replace(run[-1], stride=1)] * (length - len(run))
    return tuple(scaled) if width == 1 else tuple(row.widened(width) for row in scaled)


def in_policy(model: keras.Model, policy: str) -> keras.Model:
    """Rebuilds a model under a dtype policy and copies its weights: no optimizer, on the current `keras.device`.

    Rescaling, and the last layer with weights and what follows it, stay in float32, as `build_model` has them.

    Raises:
        ModelError: the model is no functional one, or Keras has quantised its weights.
    """
    quantised = sorted(layer.name for layer in model.layers if getattr(layer, "quantization_mode", None))
    if quantised:
        raise ModelError(f"{model.name}: {', '.join(quantised)} hold quantised weights; give the model from before")

    def converted(layer: keras.Operation) -> keras.Operation:
        keeps = layer.name in exact or isinstance(layer, layers.Rescaling)
        return copy_layer(layer, dtype="float32" if keeps else policy)

    try:
        functional = keras.Model(model.input, model.output, name=model.name)
        last = max((index for index, layer in enumerate(functional.layers) if layer.weights), default=0)
        exact = {layer.name for layer in functional.layers[last:]}
        copy = keras.models.clone_model(functional, clone_function=converted, recursive=True)
        copy.set_weights(model.get_weights())
    except (AttributeError, ValueError, TypeError) as error:
        raise ModelError(
            f"{model.name}: cannot be rebuilt in {policy} ({told(error)}); give a functional model"
        ) from error
    return copy


def in_float32(model: keras.Model) -> keras.Model:
    """The model rebuilt in float32 throughout, as `in_policy` does."""
    return in_policy(model, "float32")


def copy_layer(layer: keras.Operation, **changes: object) -> keras.Operation:
    """The layer anew, with the same name and settings but for `changes`; operations, which have no weights, as is."""
    if not isinstance(layer, keras.Layer):
        return layer
    return type(layer).from_config({**layer.get_config(), **changes})


def gives_probabilities(model: keras.Model) -> bool:
    """True where the model's last layer is a softmax, or has one for its activation."""
    last = model.layers[-1]
    return isinstance(last, layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax


def without_softmax(model: keras.Model) -> keras.Model:
    """The model up to its logits. A softmax that is the last layer's activation is taken out of the model itself."""
    last = model.layers[-1]
    if isinstance(last, layers.Softmax):
        return keras.Model(model.input, last.input, name=model.name)
    if gives_probabilities(model):
        last.activation = keras.activations.linear
    return model


def with_softmax(model: keras.Model) -> keras.Model:
    """The model with a softmax behind its logits."""
    return keras.Model(model.input, layers.Softmax(name="probabilities")(model.output), name=model.name)


CLASSIFIER = "logits"  # the name of the dense layer that every net ends with


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
        x = row.add(x, f"row{number:02d}")
    # float32 whatever the policy: softmax and the loss overflow or lose classes in 16 bits
    logits = layers.Dense(classes, kernel_initializer=dense_initializer(), dtype="float32", name=CLASSIFIER)(x)
    name = Path(name_or_rows).stem if isinstance(name_or_rows, str | Path) else "net"
    return keras.Model(inputs, logits, name=name)


def _preprocess(images: keras.KerasTensor, normalisation: Normalisation) -> keras.KerasTensor:
    """(RGB - mean) / deviation as one multiply and one add, in float32: 16 bits cannot tell 256 levels apart."""
    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            "keras is set to channels_first, in which Rescaling would scale rows of pixels for colours; "
            'call keras.config.set_image_data_format("channels_last") or mend keras.json'
        )
    scale = [1 / deviation for deviation in normalisation.deviation]
    offset = [-mean / deviation for mean, deviation in zip(normalisation.mean, normalisation.deviation, strict=True)]
    return layers.Rescaling(scale, offset, dtype="float32", name="normalise")(images)
