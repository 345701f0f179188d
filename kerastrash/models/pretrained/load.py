"""A net with pretrained weights in it."""

from pathlib import Path

import keras

from kerastrash.errors import ModelError
from kerastrash.models.builder import CLASSIFIER, build_model
from kerastrash.models.pretrained.address import find_pretrained
from kerastrash.models.pretrained.entry import Pretrained
from kerastrash.models.torch_state import load_torch_state, read_torch_state

IMAGENET_CLASSES = 1000


def pretrained_model(weights: str, input_size: int | None = None, classes: int | None = None) -> keras.Model:
    """Builds the net of pretrained weights with the weights in it: images in [0, 255] in, logits out.

    Args:
        weights: a registered name, `NAME=FILE` or `hf://OWNER/REPOSITORY`, as `find_pretrained` takes it.
        input_size: side of the square image in pixels; left out, that of the training.
        classes: of a new head, drawn anew; left out, the head for the 1000 ImageNet classes stays.

    Raises:
        ModelError: unknown weights, a file that cannot be had, or one that does not fit; names the first tensor.
    """
    entry = find_pretrained(weights)
    path = entry.source.fetch()
    size = entry.input_size if input_size is None else input_size
    whole = _build(entry, size, IMAGENET_CLASSES)
    if entry.application:
        _load_application(whole, entry, path)
    else:
        _load_state(whole, path)
    return whole if classes is None else _with_new_head(whole, _build(entry, size, classes))


def _build(entry: Pretrained, size: int, classes: int) -> keras.Model:
    return build_model(entry.rows(), size, classes, normalisation=entry.normalisation)


def _with_new_head(whole: keras.Model, model: keras.Model) -> keras.Model:
    for layer in model.layers:
        if layer.name != CLASSIFIER:
            layer.set_weights(whole.get_layer(layer.name).get_weights())
    return model


def _load_state(model: keras.Model, path: Path) -> None:
    state = read_torch_state(path)
    try:
        load_torch_state(model, state)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _load_application(model: keras.Model, entry: Pretrained, path: Path) -> None:
    """Copies the weights of a net of keras.applications, whose layers stand in the same order as those of the rows."""
    builder = getattr(keras.applications, entry.application)
    try:
        application = builder(weights=str(path), classes=IMAGENET_CLASSES)
    except Exception as error:  # Keras and h5py raise nearly everything here, and each means that the file is bad
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{path}: not the weights of keras.applications' {entry.application} ({reason})") from error
    arrays = [array for layer in application.layers for array in layer.get_weights()]
    variables = [variable for layer in model.layers for variable in layer.weights]
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array.reshape(variable.shape))  # a 1x1 convolution at one pixel is a dense layer
