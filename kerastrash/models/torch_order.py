"""PyTorch's order of tensors, restored where a file has lost it.

A `.safetensors` file holds its tensors by name. What the names still tell: numbered children stand in number order, a
module's own tensors stand together and before its children's. The rest, the order of named children such as `bn` and
`conv`, follows from the shapes that the net expects.
"""

import re
from collections.abc import Callable, Collection

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
