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
OWN_TENSORS = ("weight", "bias", "running_mean", "running_var")


def restore_order(keys: Collection[str], mismatch: Mismatch) -> list[str]:
    """Orders the keys of a state dict so that each fits its place.

    Where two named siblings fit alike, the natural order of their names (`conv2` before `conv10`) decides.

    Args:
        keys: every key of the state, in any order.
        mismatch: how far a key's tensor is from the shape that the net expects at a place, counted from 0; 0 fits.

    Returns:
        All keys. If no order fits, the longest run that does, the key that came nearest behind it, then the others.
    """
    search = _Search(mismatch)
    root = _Module()
    for key in keys:
        root.insert(key, key.split("."))
    placed = search.place(root, ())
    if placed is None:
        tried = (*search.longest, min(search.refused, key=search.refused.__getitem__))
        placed = (*tried, *sorted(set(keys) - set(tried), key=_natural))
    return list(placed)


class _Module:
    """A node of the module tree: its own tensors by name, and its children."""

    def __init__(self) -> None:
        self.tensors: dict[str, str] = {}
        self.children: dict[str, _Module] = {}

    def insert(self, key: str, path: list[str]) -> None:
        if len(path) == 1:
            self.tensors[path[0]] = key
        else:
            self.children.setdefault(path[0], _Module()).insert(key, path[1:])

    def own_keys(self) -> list[str]:
        """The module's tensors as PyTorch orders them: parameters, then buffers."""
        known = [name for name in OWN_TENSORS if name in self.tensors]
        others = sorted(set(self.tensors) - set(known), key=_natural)
        return [self.tensors[name] for name in (*known, *others)]


class _Search:
    """Depth-first search over the orders of named children; remembers the longest run and what failed behind it."""

    def __init__(self, mismatch: Mismatch) -> None:
        self.mismatch = mismatch
        self.longest: tuple[str, ...] = ()
        self.refused: dict[str, float] = {}

    def place(self, module: _Module, placed: tuple[str, ...]) -> tuple[str, ...] | None:
        """`placed` and behind it all keys of the module, or None where they do not fit there."""
        for key in module.own_keys():
            if mismatch := self.mismatch(len(placed), key):
                if len(placed) == len(self.longest):
                    self.refused[key] = mismatch
                return None
            placed = (*placed, key)
            if len(placed) > len(self.longest):
                self.longest, self.refused = placed, {}
        return self._place_children(module, frozenset(module.children), placed, set())

    def _place_children(
        self, module: _Module, left: frozenset[str], placed: tuple[str, ...], failed: set[frozenset[str]]
    ) -> tuple[str, ...] | None:
        # The children left decide the place to go on from, so each set of them needs one try only.
        if not left or left in failed:
            return None if left else placed
        for name in _candidates(left):
            reached = self.place(module.children[name], placed)
            if reached is not None:
                reached = self._place_children(module, left - {name}, reached, failed)
            if reached is not None:
                return reached
        failed.add(left)
        return None


def _candidates(names: frozenset[str]) -> list[str]:
    """The children that may come next: the lowest number, and every name."""
    ordered = sorted(names, key=_natural)
    numbers = [name for name in ordered if name.isdigit()]
    return [name for name in ordered if not name.isdigit() or name == numbers[0]]


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
COUNTER = "num_batches_tracked"  # PyTorch's batch-norm counter, for which Keras has no place


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
        """In how many axes the shapes differ; a 1x1 convolution and a linear layer hold the same tensor."""
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
        ModelError: a tensor that does not fit its place, too few or too many; names key, shape and layer.
    """
    arrays = {key: _as_array(key, value) for key, value in state.items() if key.rsplit(".", 1)[-1] != COUNTER}
    targets = _targets(model)
    keys = list(arrays)
    if keys == sorted(keys):
        keys = restore_order(
            keys, lambda place, key: targets[place].mismatch(arrays[key]) if place < len(targets) else math.inf
        )
    _check(keys, arrays, targets)
    for key, target in zip(keys, targets, strict=True):
        target.assign(arrays[key])


def _targets(model: keras.Model) -> list[Target]:
    """The model's variables in PyTorch's order: layer by layer; weight, bias, running mean, running variance."""
    return [
        Target(layer.name, variable, (0,) if len(variable.shape) == 1 else _kernel_axes(layer))
        for layer in sorted(model.layers, key=_place)
        for variable in layer.weights
    ]


def _place(layer: keras.Layer) -> tuple[float, bool]:
    """Sort key: row by row, and within a row what PyTorch names last behind the rest.

    Keras lists the layers of two branches mixed, by their distance from the output; along one branch its order holds.
    """
    place = ROW_NAME.match(layer.name)
    return (int(place["row"]), place["branch"] is not None) if place else (math.inf, False)


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
