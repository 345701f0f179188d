"""Layers, and whole nets, made anew with other settings."""

import keras


def in_policy(model: keras.Model, policy: str) -> keras.Model:
    """Rebuilds a model under a dtype policy and copies its weights.

    Rescaling, and the last layer with weights and what follows it, stay in float32, as `build_model` has them.
    """
    functional = keras.Model(model.input, model.output, name=model.name)
    last = max(place for place, layer in enumerate(functional.layers) if layer.weights)
    exact = {layer.name for layer in functional.layers[last:]}

    def converted(layer: keras.Operation) -> keras.Operation:
        keeps = layer.name in exact or isinstance(layer, keras.layers.Rescaling)
        return copy_layer(layer, dtype="float32" if keeps else policy)

    copy = keras.models.clone_model(functional, clone_function=converted)
    copy.set_weights(model.get_weights())
    return copy


def copy_layer(layer: keras.Operation, **changes: object) -> keras.Operation:
    """The layer anew, with the same name and settings but for `changes`; operations, which have no weights, as is."""
    if not isinstance(layer, keras.Layer):
        return layer
    return type(layer).from_config({**layer.get_config(), **changes})
