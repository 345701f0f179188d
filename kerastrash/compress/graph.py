"""The calls of a functional model in their order: which tensors enter each layer, and which leave it."""

from dataclasses import dataclass

import keras

from kerastrash.errors import ModelError
from kerastrash.models.builder import copy_layer


@dataclass(frozen=True)
class Call:
    """One layer, or operation of `keras.ops`, at its one place in a net."""

    layer: keras.Operation
    entering: tuple[keras.KerasTensor, ...]
    leaving: tuple[keras.KerasTensor, ...]


@dataclass(frozen=True)
class Graph:
    """A net as its calls; every tensor but the inputs leaves one of them before it enters others."""

    name: str
    inputs: tuple[keras.KerasTensor, ...]
    calls: tuple[Call, ...]
    outputs: tuple[keras.KerasTensor, ...]


def read_graph(model: keras.Model) -> Graph:
    """Walks a model once, on a copy: its layers have the names, settings and shapes of the model's, not its weights.

    Raises:
        ModelError: the model is no functional one, or calls a layer that has weights in two places.
    """
    calls: list[Call] = []

    def record(layer: keras.Operation, *arguments: object, **options: object) -> object:
        given = layer(*arguments, **options)
        entering = [value for value in keras.tree.flatten((arguments, options)) if isinstance(value, keras.KerasTensor)]
        calls.append(Call(layer, tuple(entering), tuple(keras.tree.flatten(given))))
        return given

    try:
        functional = keras.Model(model.input, model.output, name=model.name)
        copy = keras.models.clone_model(functional, clone_function=copy_layer, call_function=record)
    except (AttributeError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{model.name}: its layers cannot be walked ({reason}); give a functional model") from error
    weighted = [call.layer.name for call in calls if getattr(call.layer, "weights", ())]
    twice = sorted({name for name in weighted if weighted.count(name) > 1})
    if twice:
        raise ModelError(f"{model.name}: {', '.join(twice)} are used in two places; give a net that shares no weights")
    return Graph(model.name, tuple(copy.inputs), tuple(calls), tuple(copy.outputs))
