"""The systems that are compared, and the YAML file that names them; what it may say is in docs/comparison.md."""

import dataclasses
import graphlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerastrash.compress.config import DistillSettings, PruneSettings
from kerastrash.data import DataConfig
from kerastrash.data.config import unnamed
from kerastrash.errors import ConfigError, ModelError
from kerastrash.files import read_yaml
from kerastrash.models import Rows, macs, resolve_rows, scale_rows
from kerastrash.models.pretrained import find_pretrained
from kerastrash.settings import from_dict
from kerastrash.training.recipe import Recipe

NAME = re.compile(r"\w[\w.+-]*")
MODEL = ".keras"


@dataclass(frozen=True)
class SystemSettings:
    """What the models of a system are made by."""

    rows: Rows | None
    """None where pretrained weights bring a net, or a trained one is pruned."""
    weights: str | None
    input_size: int | None
    """Side of the images in pixels; None for a pruned net, which has its own."""
    recipe: Recipe
    distill: DistillSettings | None = None
    prune: PruneSettings | None = None
    data: DataConfig = field(default_factory=DataConfig)
    origins: tuple[Path, ...] = ()
    """Model files: the teachers, or the net that is pruned."""

    @property
    def kind(self) -> str:
        """`trained`, `fine-tuned`, `distilled` or `pruned`."""
        if self.prune:
            return "pruned"
        return "distilled" if self.distill else "fine-tuned" if self.weights else "trained"


@dataclass(frozen=True, kw_only=True)
class Systems:
    """A systems file."""

    systems: tuple[Any, ...]
    """An `Entry` each, as mappings; once they are checked, a `System` each. In the order of the file."""
    data: DataConfig = field(default_factory=unnamed)
    baseline: str | None = None
    """Name of the system that the others are scored against."""
    seeds: tuple[int, ...] = (0,)
    recipe: dict = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the file says of a system."""

    name: str
    net: str | None = None
    """A preset or a file of rows; of a system, what it is named by: its weights, or the net that is pruned."""
    weights: str | None = None
    input_size: int | None = None
    width: float = 1.0
    depth: float = 1.0
    distill: DistillSettings | None = None
    prune: dict | None = None
    recipe: dict = field(default_factory=dict)
    seeds: tuple[int, ...] | None = None
    team: int | None = None
    """Which of the contest's teams used it; None for ours."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class System(Entry):
    """One row of the table: an entry, checked, with its seeds and the name of its net."""

    settings: SystemSettings
    """A job of it has its own seed in the recipe, its data and its origins."""
    origins: tuple[str | Path, ...]
    """Teachers, or the net that is pruned: a system's name as text, or a .keras file."""


def read_systems(path: Path) -> Systems:
    """Reads and checks a systems file; none of its systems is made from itself.

    Raises:
        ConfigError: naming file, system, field, value and remedy.
    """
    file = from_dict(Systems, read_yaml(path, ConfigError), path)
    entries = []
    for number, values in enumerate(file.systems, 1):
        name = values.get("name") if isinstance(values, dict) else None
        entries.append(from_dict(Entry, values, f"{path}, system {name or number}"))
    names = [entry.name for entry in entries]
    if not names:
        raise ConfigError(f"{path}: systems names none; give at least one")
    for name in names:
        if not NAME.fullmatch(name) or names.count(name) > 1:
            raise ConfigError(f"{path}: name {name!r} is taken twice, or no name of a folder; give another one")
    if file.baseline not in (None, *names):
        raise ConfigError(f"{path}: baseline {file.baseline!r} is none of its systems: {', '.join(names)}")
    recipe = _recipe(file.recipe, f"{path}, recipe")
    systems = tuple(_system(entry, recipe, file.seeds, names, path) for entry in entries)
    needs = {system.name: [origin for origin in system.origins if isinstance(origin, str)] for system in systems}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        circle = " from ".join(reversed(error.args[1]))
        raise ConfigError(f"{path}: {circle}: no system can be made from itself; break the circle") from None
    return dataclasses.replace(file, systems=systems)


def _recipe(values: dict[str, Any], place: str, default: Recipe | None = None) -> Recipe:
    if "seed" in values:
        raise ConfigError(f"{place}: seed is {values['seed']!r}; take it out and give `seeds: [0, 1, 2]`")
    return from_dict(Recipe, values, place, default)


def _system(entry: Entry, recipe: Recipe, seeds: tuple[int, ...], names: list[str], path: Path) -> System:
    """The entry checked; recipe and seeds are those of the file."""
    place = f"{path}, system {entry.name}"
    if sum(value is not None for value in (entry.net, entry.weights, entry.prune)) != 1:
        raise ConfigError(f"{place}: give exactly one of net, weights and prune")
    prune, given, where = None, (), ""
    if entry.prune is not None:
        prune, given, where = *_pruned(entry, place), "prune, from"
    elif entry.distill:
        given, where = entry.distill.teachers, "distill, teachers"
        if not given:
            raise ConfigError(f"{place}, distill: teachers names none; give systems of this file, or {MODEL} files")
    origins = tuple(_origin(str(name), names, path, f"{place}, {where}") for name in given)
    rows, size = _net(entry, path, place)
    settings = SystemSettings(
        rows=rows,
        weights=entry.weights,
        input_size=size,
        recipe=_recipe(entry.recipe, f"{place}, recipe", recipe),
        distill=entry.distill and dataclasses.replace(entry.distill, teachers=()),
        prune=prune,
    )
    net = entry.net or entry.weights or Path(str(origins[0])).name
    seeds = seeds if entry.seeds is None else entry.seeds
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
        raise ConfigError(f"{place}: seeds is {list(seeds)}; give whole numbers from 0 to 2**32 - 1, each once")
    return System(**vars(entry) | {"net": net, "seeds": seeds, "settings": settings, "origins": origins})


def _pruned(entry: Entry, place: str) -> tuple[PruneSettings, tuple[str]]:
    """The settings, and the one origin."""
    for name in ("input_size", "distill", "width", "depth"):
        value = getattr(entry, name)
        if value != Entry.__dataclass_fields__[name].default:
            raise ConfigError(f"{place}: {name} is {value!r}, but the net that is pruned has its own; take it out")
    settings = dict(entry.prune)
    origin, place = settings.pop("from", None), f"{place}, prune"
    if not isinstance(origin, str):
        raise ConfigError(f"{place}: from is {origin!r}; give the name of a system of this file, or a {MODEL} file")
    return from_dict(PruneSettings, settings, place), (origin,)


def _net(entry: Entry, path: Path, place: str) -> tuple[Rows | None, int | None]:
    """The rows of a net that is trained from scratch, and the size of its images; None for a pruned one."""
    if entry.prune is not None:
        return None, None
    try:
        if entry.weights is not None:
            if (entry.width, entry.depth) != (1, 1):
                raise ConfigError(f"{place}: width and depth would not fit the weights; take them out")
            return None, entry.input_size or find_pretrained(entry.weights).input_size
        if entry.input_size is None:
            raise ConfigError(f"{place}: lacks input_size; give the side of its images in pixels")
        rows = scale_rows(resolve_rows(str(_found(entry.net, path))), entry.width, entry.depth)
        macs(rows, entry.input_size)  # refuses a size at which the net runs out of pixels
        return rows, entry.input_size
    except ModelError as error:
        raise ConfigError(f"{place}: {error}") from None


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
