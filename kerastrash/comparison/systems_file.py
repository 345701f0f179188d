"""Reads the YAML file of the systems that are compared; what it may say is in docs/comparison.md."""

import dataclasses
import graphlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerastrash.comparison.system import Kind, System, Systems
from kerastrash.compress.config import DistillSettings, PruneSettings
from kerastrash.data import DataConfig
from kerastrash.errors import ConfigError, ModelError
from kerastrash.files import read_yaml
from kerastrash.models import macs, resolve_rows, scale_rows
from kerastrash.models.base import Rows
from kerastrash.models.pretrained import find_pretrained
from kerastrash.settings import from_dict
from kerastrash.training.recipe import Recipe

NAME = re.compile(r"\w[\w.+-]*")
MODEL = ".keras"


@dataclass(frozen=True, kw_only=True)
class Document:
    """The whole file."""

    systems: list[Any]
    data: dict = field(default_factory=dict)
    baseline: str | None = None
    seeds: tuple[int, ...] = (0,)
    recipe: dict = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One of its systems."""

    name: str
    net: str | None = None
    weights: str | None = None
    input_size: int | None = None
    width: float = 1.0
    depth: float = 1.0
    distill: dict | None = None
    prune: dict | None = None
    recipe: dict = field(default_factory=dict)
    seeds: tuple[int, ...] | None = None
    team: int | None = None
    note: str = ""

    @property
    def kind(self) -> Kind:
        """How its net comes about."""
        if self.prune is not None:
            return "pruned"
        return "distilled" if self.distill is not None else "fine-tuned" if self.weights else "trained"


def read_systems(path: Path) -> Systems:
    """Reads and checks a systems file.

    Raises:
        ConfigError: naming file, system, field, value and remedy.
    """
    document = from_dict(Document, read_yaml(path, ConfigError), str(path))
    entries = [from_dict(Entry, values, _place(path, values, n)) for n, values in enumerate(document.systems, 1)]
    names = [entry.name for entry in entries]
    if not names:
        raise ConfigError(f"{path}: systems names none; give at least one")
    for name in names:
        if not NAME.fullmatch(name) or names.count(name) > 1:
            raise ConfigError(f"{path}: name {name!r} is taken twice, or no name of a folder; give another one")
    if document.baseline not in (None, *names):
        raise ConfigError(f"{path}: baseline {document.baseline!r} is none of its systems: {', '.join(names)}")
    data = from_dict(DataConfig, document.data, f"{path}, data")
    systems = tuple(_system(entry, document, names, path) for entry in entries)
    _check_circles(systems, path)
    return Systems(path, data, document.baseline, systems)


def _place(path: Path, values: Any, number: int) -> str:
    name = values.get("name") if isinstance(values, dict) else None
    return f"{path}, system {name or number}"


def _system(entry: Entry, document: Document, names: list[str], path: Path) -> System:
    place = f"{path}, system {entry.name}"
    if sum(value is not None for value in (entry.net, entry.weights, entry.prune)) != 1:
        raise ConfigError(f"{place}: give exactly one of net, weights and prune")
    origins, distill, prune = (), None, None
    if entry.prune is not None:
        _check_pruned(entry, place)
        origins, prune = _read_prune(entry.prune, names, path, f"{place}, prune")
    elif entry.distill is not None:
        origins, distill = _read_distill(entry.distill, names, path, f"{place}, distill")
    rows, size = _net(entry, path, place)
    return System(
        name=entry.name,
        kind=entry.kind,
        net=entry.net or entry.weights or Path(str(origins[0])).name,
        rows=rows,
        weights=entry.weights,
        input_size=size,
        origins=origins,
        distill=distill,
        prune=prune,
        recipe=_read_recipe(entry, document, path, place),
        seeds=_checked_seeds(document.seeds if entry.seeds is None else entry.seeds, place),
        team=entry.team,
        note=entry.note,
    )


def _check_pruned(entry: Entry, place: str) -> None:
    given = {name: getattr(entry, name) for name in ("input_size", "distill")}
    given |= {name: getattr(entry, name) for name in ("width", "depth") if getattr(entry, name) != 1}
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{place}: {name} is {value!r}, but the net that is pruned has its own; take it out")


def _net(entry: Entry, path: Path, place: str) -> tuple[Rows | None, int | None]:
    """The rows of a net that is trained from scratch, and the size of its images; None for a pruned one."""
    if entry.prune is not None:
        return None, None
    try:
        if entry.weights is not None:
            return None, _pretrained_size(entry, place)
        if entry.input_size is None:
            raise ConfigError(f"{place}: lacks input_size; give the side of its images in pixels")
        rows = scale_rows(resolve_rows(str(_found(entry.net, path))), entry.width, entry.depth)
        macs(rows, entry.input_size)  # refuses a size at which the net runs out of pixels
        return rows, entry.input_size
    except ModelError as error:
        raise ConfigError(f"{place}: {error}") from None


def _pretrained_size(entry: Entry, place: str) -> int:
    if (entry.width, entry.depth) != (1, 1):
        raise ConfigError(f"{place}: width and depth would not fit the weights; take them out")
    known = find_pretrained(entry.weights)
    return entry.input_size or known.input_size


def _read_recipe(entry: Entry, document: Document, path: Path, place: str) -> Recipe:
    for where, values in ((f"{path}, recipe", document.recipe), (f"{place}, recipe", entry.recipe)):
        if "seed" in values:
            raise ConfigError(f"{where}: seed is {values['seed']!r}; take it out and give `seeds: [0, 1, 2]`")
        from_dict(Recipe, values, where)
    return from_dict(Recipe, document.recipe | entry.recipe, f"{place}, recipe")


def _checked_seeds(seeds: tuple[int, ...], place: str) -> tuple[int, ...]:
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
        raise ConfigError(f"{place}: seeds is {list(seeds)}; give whole numbers from 0 to 2**32 - 1, each once")
    return seeds


def _read_distill(
    values: dict, names: list[str], path: Path, place: str
) -> tuple[tuple[str | Path, ...], DistillSettings]:
    settings = from_dict(DistillSettings, values, place)
    if not settings.teachers:
        raise ConfigError(f"{place}: teachers names none; give systems of this file, or {MODEL} files")
    origins = tuple(_origin(str(teacher), names, path, f"{place}, teachers") for teacher in settings.teachers)
    return origins, dataclasses.replace(settings, teachers=())


def _read_prune(values: dict, names: list[str], path: Path, place: str) -> tuple[tuple[str | Path, ...], PruneSettings]:
    origin = values.get("from")
    if not isinstance(origin, str):
        raise ConfigError(f"{place}: from is {origin!r}; give the name of a system of this file, or a {MODEL} file")
    rest = {name: value for name, value in values.items() if name != "from"}
    return (_origin(origin, names, path, f"{place}, from"),), from_dict(PruneSettings, rest, place)


def _origin(name: str, names: list[str], path: Path, place: str) -> str | Path:
    if name in names:
        return name
    file = _found(name, path)
    if file.suffix != MODEL or not file.exists():
        raise ConfigError(f"{place}: {name!r} is no {MODEL} file, and none of the systems {', '.join(names)}")
    return file


def _found(name: str, path: Path) -> Path:
    """A file named in the systems file, which lies beside it or in the working folder; other names as they are."""
    beside = path.parent / name
    return beside if beside.is_file() else Path(name)


def _check_circles(systems: tuple[System, ...], path: Path) -> None:
    needs = {system.name: [origin for origin in system.origins if isinstance(origin, str)] for system in systems}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        circle = " from ".join(reversed(error.args[1]))
        raise ConfigError(f"{path}: {circle}: no system can be made from itself; break the circle") from None
