"""Weights of other implementations, PyTorch's and Keras's own, in the Keras model of the same rows."""

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerastrash.errors import ModelError, told

# The axes of PyTorch's kernel in the order of Keras's: OIHW -> HWIO, C1HW -> HWC1, OI -> IO.
KERNEL_AXES = {
    keras.layers.Conv2D: (2, 3, 1, 0),
    keras.layers.DepthwiseConv2D: (2, 3, 0, 1),
    keras.layers.Dense: (1, 0),
}
ROW_NAME = re.compile(r"row(?P<row>\d+)_(?P<branch>branch2|shortcut)?")
"""A layer's name in a model of `build_model`, and the branch whose weights stand last in PyTorch's state."""
COUNTER = "num_batches_tracked"  # PyTorch's batch-norm counter, for which Keras has no variable


@dataclass(frozen=True)
class Target:
    """A variable of the model, the layer it belongs to, and the axes that turn PyTorch's tensor into it."""

    layer: str
    variable: keras.Variable
    axes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that PyTorch gives this tensor."""
        return tuple(self.variable.shape[self.axes.index(axis)] for axis in range(len(self.axes)))

    def mismatch(self, array: np.ndarray) -> float:
        """The number of axes in which the shapes differ; a 1x1 convolution and a linear layer hold the same tensor."""
        found, expected = (shape[:2] if shape[2:] == (1, 1) else shape for shape in (array.shape, self.shape))
        if len(found) != len(expected):
            return math.inf
        return sum(one != other for one, other in zip(found, expected, strict=True))


def load_torch_state(model: keras.Model, state: Mapping[str, Any]) -> None:
    """Fills a built model with a PyTorch `state_dict`, tensor by tensor in order; sets all of it or nothing.

    Args:
        model: a model from `build_model`.
        state: arrays or tensors in PyTorch's order and shapes; `num_batches_tracked` is passed over. Where the keys
            stand in plain alphabetical order, as in a `.safetensors` file, PyTorch's order is restored first.

    Raises:
        ModelError: a tensor that does not fit, too few or too many; names key, shape and layer.
    """
    arrays = {key: _as_array(key, value) for key, value in state.items() if key.rsplit(".", 1)[-1] != COUNTER}
    targets = _targets(model)
    keys = list(arrays)
    if keys == sorted(keys):
        keys = _restored_order(arrays, targets)
    _check(keys, arrays, targets)
    for key, target in zip(keys, targets, strict=True):
        target.variable.assign(arrays[key].reshape(target.shape).transpose(target.axes))


def _targets(model: keras.Model) -> list[Target]:
    """The model's variables in PyTorch's order: layer by layer; weight, bias, running mean, running variance."""
    targets = []
    for layer in sorted(model.layers, key=_layer_order):
        for variable in layer.weights:
            if len(variable.shape) > 1 and type(layer) not in KERNEL_AXES:
                raise ModelError(
                    f"layer {layer.name}: {type(layer).__name__} has no known PyTorch form; use a net of build_model"
                )
            targets.append(Target(layer.name, variable, KERNEL_AXES[type(layer)] if len(variable.shape) > 1 else (0,)))
    return targets


def _layer_order(layer: keras.Layer) -> tuple[float, bool]:
    """Sort key: row by row, and within a row what PyTorch names last behind the rest.

    Keras lists the layers of two branches mixed, by their distance from the output; along one branch its order holds.
    """
    named = ROW_NAME.match(layer.name)
    return (int(named["row"]), named["branch"] is not None) if named else (math.inf, False)


def _as_array(key: str, value: Any) -> np.ndarray:
    """A float32 array of an array or of a tensor on any device, without importing torch."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float()
    try:
        return np.asarray(value).astype(np.float32)
    except (TypeError, ValueError):
        raise ModelError(f"{key}: {type(value).__name__} is no tensor; give the state_dict itself") from None


def _check(keys: list[str], arrays: Mapping[str, np.ndarray], targets: list[Target]) -> None:
    counts = f"the state holds {len(keys)} tensors, the model {len(targets)}"
    for key, target in itertools.zip_longest(keys, targets):
        if key is None:
            fault = f"{counts}: none is left for layer {target.layer}, which takes {target.shape}"
        elif target is None:
            fault = f"{counts}: no layer is left for {key} of shape {arrays[key].shape}"
        elif target.mismatch(arrays[key]):
            fault = f"{key}: shape {arrays[key].shape} does not fit layer {target.layer}, which takes {target.shape}"
        else:
            continue
        raise ModelError(f"{fault}; give the weights of the same net and number of classes")


def load_application(model: keras.Model, name: str, path: Path) -> None:
    """Fills a built model with the file of a net of keras.applications, whose layers stand in the rows' order.

    Raises:
        ModelError: not the file of that net.
    """
    try:
        application = getattr(keras.applications, name)(weights=str(path), classes=model.output_shape[-1])
    except Exception as error:  # Keras and h5py raise nearly everything here, and each means that the file is bad
        raise ModelError(f"{path}: not the weights of keras.applications' {name} ({told(error)})") from error
    arrays = [array for layer in application.layers for array in layer.get_weights()]
    variables = [variable for layer in model.layers for variable in layer.weights]
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array.reshape(variable.shape))  # a 1x1 convolution at one pixel is a dense layer


Module = dict[str, Any]
"""A module's tensors, each key of the state by its last name, and its children by their names and a dot."""
OWN_TENSORS = ("weight", "bias", "running_mean", "running_var")
"""The tensors of one layer as PyTorch orders them: parameters, then buffers."""


def _restored_order(arrays: Mapping[str, np.ndarray], targets: list[Target]) -> list[str]:
    """The keys of a state dict in an order in which each fits its target.

    Where two named siblings fit alike, the natural order of their names (`conv2` before `conv10`) decides. If no order
    fits, it is the longest run that does, the key that came nearest behind it, then the others.
    """
    tree: Module = {}
    for key in arrays:
        *path, name = key.split(".")
        module = tree
        for child in path:
            module = module.setdefault(f"{child}.", {})
        module[name] = key
    search = _Search(arrays, targets)
    ordered = search.append(tree, ())
    if ordered is None:
        tried = (*search.longest, min(search.refused, key=search.refused.__getitem__))
        ordered = (*tried, *sorted(set(arrays) - set(tried), key=_natural))
    return list(ordered)


class _Search:
    """Depth-first search over the orders of named children; remembers the longest run and what failed behind it."""

    def __init__(self, arrays: Mapping[str, np.ndarray], targets: list[Target]) -> None:
        self.arrays, self.targets = arrays, targets
        self.longest: tuple[str, ...] = ()
        self.refused: dict[str, float] = {}

    def append(self, module: Module, ordered: tuple[str, ...]) -> tuple[str, ...] | None:
        """`ordered` and behind it all keys of the module, or None where they do not fit there."""
        children = frozenset(name for name in module if name.endswith("."))
        own = [name for name in OWN_TENSORS if name in module]
        for name in (*own, *sorted(set(module) - children - set(own), key=_natural)):
            key, index = module[name], len(ordered)
            mismatch = self.targets[index].mismatch(self.arrays[key]) if index < len(self.targets) else math.inf
            if mismatch:
                if index == len(self.longest):
                    self.refused[key] = mismatch
                return None
            ordered = (*ordered, key)
            if len(ordered) > len(self.longest):
                self.longest, self.refused = ordered, {}
        return self._append_children(module, children, ordered, set())

    def _append_children(
        self, module: Module, left: frozenset[str], ordered: tuple[str, ...], failed: set[frozenset[str]]
    ) -> tuple[str, ...] | None:
        # The children left decide the index to go on from, so each set of them needs one try only.
        if not left or left in failed:
            return None if left else ordered
        later_numbers = sorted((name for name in left if name[:-1].isdigit()), key=_natural)[1:]
        for name in sorted(left.difference(later_numbers), key=_natural):
            reached = self.append(module[name], ordered)
            if reached is not None:
                reached = self._append_children(module, left - {name}, reached, failed)
            if reached is not None:
                return reached
        failed.add(left)
        return None


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which `conv2` stands before `conv10`."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
