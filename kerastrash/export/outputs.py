"""What a model gives: logits or probabilities."""

import keras
from keras import layers


def gives_probabilities(model: keras.Model) -> bool:
    """Whether the model's last layer is a softmax, or has one for its activation."""
    last = model.layers[-1]
    return isinstance(last, layers.Softmax) or _activates_with_softmax(last)


def without_softmax(model: keras.Model) -> keras.Model:
    """The model up to its logits. A softmax that is the last layer's activation is taken out of the model itself."""
    last = model.layers[-1]
    if isinstance(last, layers.Softmax):
        return keras.Model(model.input, last.input, name=model.name)
    if _activates_with_softmax(last):
        last.activation = keras.activations.linear
    return model


def with_softmax(model: keras.Model) -> keras.Model:
    """The model with a softmax behind its logits."""
    return keras.Model(model.input, layers.Softmax(name="probabilities")(model.output), name=model.name)


def _activates_with_softmax(layer: keras.Layer) -> bool:
    return getattr(layer, "activation", None) is keras.activations.softmax
