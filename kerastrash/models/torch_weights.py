"""Weights of a PyTorch implementation in the Keras model of the same rows, matched by order and shape."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerastrash.errors import ModelError

Mismatch = Callable[[int, str], float]
Module = dict[str, Any]
"""A module's tensors, each key of the state by its last name, and its children by their names and a dot."""
OWN_TENSORS = ("weight", "bias", "running_mean", "running_var")
"""The tensors of one layer as PyTorch orders them: parameters, then buffers."""


def restore_order(keys: Collection[str], mismatch: Mismatch) -> list[str]:
    """Orders the keys of a state dict so that each fits the net.

    Where two named siblings fit alike, the natural order of their names (`conv2` before `conv10`) decides.

    Args:
        keys: every key of the state, in any order.
        mismatch: how far a key's tensor is from the shape that the net expects at an index of the order; 0 fits.

    Returns:
        All keys. If no order fits, the longest run that does, the key that came nearest behind it, then the others.
    """
    search = _Search(mismatch)
    ordered = search.append(_module_tree(keys), ())
    if ordered is None:
        tried = (*search.longest, min(search.refused, key=search.refused.__getitem__))
        ordered = (*tried, *sorted(set(keys) - set(tried), key=_natural))
    return list(ordered)


def _module_tree(keys: Collection[str]) -> Module:
    root: Module = {}
    for key in keys:
        *path, name = key.split(".")
        module = root
        for child in path:
            module = module.setdefault(f"{child}.", {})
        module[name] = key
    return root


class _Search:
    """Depth-first search over the orders of named children; remembers the longest run and what failed behind it."""

    def __init__(self, mismatch: Mismatch) -> None:
        self.mismatch = mismatch
        self.longest: tuple[str, ...] = ()
        self.refused: dict[str, float] = {}

    def append(self, module: Module, ordered: tuple[str, ...]) -> tuple[str, ...] | None:
        """`ordered` and behind it all keys of the module, or None where they do not fit there."""
        children = frozenset(name for name in module if name.endswith("."))
        for name in sorted(set(module) - children, key=_tensor_order):
            if mismatch := self.mismatch(len(ordered), module[name]):
                if len(ordered) == len(self.longest):
                    self.refused[module[name]] = mismatch
                return None
            ordered = (*ordered, module[name])
            if len(ordered) > len(self.longest):
                self.longest, self.refused = ordered, {}
        return self._append_children(module, children, ordered, set())

    def _append_children(
        self, module: Module, left: frozenset[str], ordered: tuple[str, ...], failed: set[frozenset[str]]
    ) -> tuple[str, ...] | None:
        # The children left decide the index to go on from, so each set of them needs one try only.
        if not left or left in failed:
            return None if left else ordered
        for name in _candidates(left):
            reached = self.append(module[name], ordered)
            if reached is not None:
                reached = self._append_children(module, left - {name}, reached, failed)
            if reached is not None:
                return reached
        failed.add(left)
        return None


def _candidates(names: frozenset[str]) -> list[str]:
    """The children that may come next: the lowest number, and every name."""
    ordered = sorted(names, key=_natural)
    numbers = [name for name in ordered if name[:-1].isdigit()]
    return [name for name in ordered if name not in numbers[1:]]


def _tensor_order(name: str) -> tuple[int, list]:
    return (OWN_TENSORS.index(name) if name in OWN_TENSORS else len(OWN_TENSORS), _natural(name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which `conv2` stands before `conv10`."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


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
        found, expected = _without_pixel(array.shape), _without_pixel(self.shape)
        if len(found) != len(expected):
            return math.inf
        return sum(one != other for one, other in zip(found, expected, strict=True))

    def assign(self, array: np.ndarray) -> None:
        self.variable.assign(array.reshape(self.shape).transpose(self.axes))


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
        keys = restore_order(
            keys, lambda index, key: targets[index].mismatch(arrays[key]) if index < len(targets) else math.inf
        )
    _check(keys, arrays, targets)
    for key, target in zip(keys, targets, strict=True):
        target.assign(arrays[key])


def _targets(model: keras.Model) -> list[Target]:
    """The model's variables in PyTorch's order: layer by layer; weight, bias, running mean, running variance."""
    return [
        Target(layer.name, variable, (0,) if len(variable.shape) == 1 else _kernel_axes(layer))
        for layer in sorted(model.layers, key=_layer_order)
        for variable in layer.weights
    ]


def _layer_order(layer: keras.Layer) -> tuple[float, bool]:
    """Sort key: row by row, and within a row what PyTorch names last behind the rest.

    Keras lists the layers of two branches mixed, by their distance from the output; along one branch its order holds.
    """
    named = ROW_NAME.match(layer.name)
    return (int(named["row"]), named["branch"] is not None) if named else (math.inf, False)


def _kernel_axes(layer: keras.Layer) -> tuple[int, ...]:
    if type(layer) not in KERNEL_AXES:
        raise ModelError(
            f"layer {layer.name}: {type(layer).__name__} has no known PyTorch form; use a net of build_model"
        )
    return KERNEL_AXES[type(layer)]


def _as_array(key: str, value: Any) -> np.ndarray:
    """A float32 array of an array or of a tensor on any device, without importing torch."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().float()
    try:
        return np.asarray(value).astype(np.float32)
    except (TypeError, ValueError):
        raise ModelError(f"{key}: {type(value).__name__} is no tensor; give the state_dict itself") from None


def _check(keys: list[str], arrays: Mapping[str, np.ndarray], targets: list[Target]) -> None:
    for key, target in zip(keys, targets, strict=False):
        if target.mismatch(arrays[key]):
            raise ModelError(
                f"{key}: shape {arrays[key].shape} does not fit layer {target.layer}, which takes {target.shape}; "
                "give the weights of the same net and number of classes"
            )
    if len(keys) < len(targets):
        raise ModelError(
            f"the state holds {len(keys)} tensors, the model {len(targets)}: none is left for layer "
            f"{targets[len(keys)].layer}, which takes {targets[len(keys)].shape}; give the weights of the same net"
        )
    if len(keys) > len(targets):
        key = keys[len(targets)]
        raise ModelError(
            f"the state holds {len(keys)} tensors, the model {len(targets)}: no layer is left for {key} "
            f"of shape {arrays[key].shape}; give the weights of the same net"
        )


def _without_pixel(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[:2]) if len(shape) == 4 and tuple(shape[2:]) == (1, 1) else tuple(shape)
