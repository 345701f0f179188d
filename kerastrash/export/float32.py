"""A model of any dtype policy as the same net in float32."""

import keras

from kerastrash.errors import ModelError


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
