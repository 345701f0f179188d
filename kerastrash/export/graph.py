"""Changes to a net before it is written: every layer in float32, a softmax taken away or added."""

import keras
from keras import layers

from kerastrash.errors import ModelError


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


def in_float32(model: keras.Model) -> keras.Model:
    """Rebuilds a model with float32 policies from its layers' settings, and copies its weights.

    The copy has no optimizer, shares nothing with the model, and lies on the current `keras.device`.

    Raises:
        ModelError: the model is no functional one, or Keras has quantised its weights.
    """
    quantised = sorted(layer.name for layer in model.layers if getattr(layer, "quantization_mode", None))
    if quantised:
        raise ModelError(f"{model.name}: {', '.join(quantised)} hold quantised weights; give the model from before")
    try:
        copy = keras.models.clone_model(
            keras.Model(model.input, model.output, name=model.name), clone_function=_float32_layer, recursive=True
        )
        copy.set_weights(model.get_weights())
    except (AttributeError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{model.name}: cannot be rebuilt in float32 ({reason}); give a functional model") from error
    return copy


def _float32_layer(layer: keras.Operation) -> keras.Operation:
    if not isinstance(layer, keras.Layer):
        return layer
    return type(layer).from_config({**layer.get_config(), "dtype": "float32"})
