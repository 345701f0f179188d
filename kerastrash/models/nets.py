"""The nets by name, and as YAML: a list with one `kind: {field: value}` a row.

A family's file has each net one row a line, or a run of equal ones, with the side of the map that leaves them; counts
are for six classes.

- conv: {channels: 16, kernel: 3, stride: 2, activation: hard_swish}
- inverted_residual: {kernel: 3, expansion: 6, channels: 80, hard_swish: true, stride: 2}
- conv: {channels: 480}
- pool
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from kerastrash.errors import ModelError
from kerastrash.files import read_yaml
from kerastrash.models import efficientnet_lite, layers, mobilenet_v3, resnet, shufflenet_v2
from kerastrash.models.base import Row, Rows, allowed_values
from kerastrash.models.costs import steps
from kerastrash.settings import did_you_mean

FAMILIES = (layers, mobilenet_v3, shufflenet_v2, resnet, efficientnet_lite)
"""The modules that kinds of row and presets are found in."""
_FOUND = [entry for family in FAMILIES for entry in vars(family).items()]
PRESETS: Mapping[str, Rows] = MappingProxyType(
    {name.lower(): value for name, value in _FOUND if isinstance(value, tuple) and value and isinstance(value[0], Row)}
)
"""The published nets: every constant of a family that holds rows, by its name in small letters."""
_ROW_CLASSES = [value for _, value in _FOUND if isinstance(value, type) and issubclass(value, Row)]
KINDS: Mapping[str, type[Row]] = MappingProxyType({kind.kind: kind for kind in _ROW_CLASSES if "kind" in vars(kind)})
"""The kinds of row by the names that YAML files give them."""


def load_rows(path: Path | str) -> Rows:
    """Reads the rows of a net from a YAML file, with `yaml.safe_load`.

    Raises:
        ModelError: no such file, not YAML, or a bad row; the sentence names file, row, field and allowed values.
    """
    entries = read_yaml(path, ModelError)
    if not isinstance(entries, list) or not entries:
        raise ModelError(f"{path}: holds no list of rows; write one `- kind: {{field: value}}` a row")
    rows = tuple(_read_row(entry, f"{path}, row {number}") for number, entry in enumerate(entries, 1))
    try:
        list(steps(rows))
    except ModelError as error:
        raise ModelError(f"{path}, {error}") from None
    return rows


def dump_rows(rows: Rows) -> str:
    """The rows as YAML text, every field written out, which `load_rows` reads back as equal rows."""
    entries = [{row.kind: dataclasses.asdict(row)} for row in rows]
    return yaml.safe_dump(entries, sort_keys=False, default_flow_style=None, width=1000)


def _read_row(entry: Any, where: str) -> Row:
    if isinstance(entry, str):  # the bare kind, where every field keeps its default
        entry = {entry: None}
    if not isinstance(entry, dict) or len(entry) != 1 or not isinstance(next(iter(entry.values())), dict | None):
        raise ModelError(
            f"{where}: {entry!r} is no row; write `kind: {{field: value}}`, kind one of {', '.join(KINDS)}"
        )
    ((kind, fields),) = entry.items()
    fields = fields or {}
    if kind not in KINDS:
        raise ModelError(f"{where}: no kind of row is called {kind!r}; give one of {', '.join(KINDS)}")
    allowed = allowed_values(KINDS[kind])
    for name in fields:
        if name not in allowed:
            raise ModelError(f"{where}: {kind} has no field {name!r}; its fields are {', '.join(allowed) or 'none'}")
    for field in dataclasses.fields(KINDS[kind]):
        if field.default is dataclasses.MISSING and field.name not in fields:
            raise ModelError(f"{where}: {kind} lacks {field.name}; give {allowed[field.name][0]}")
    try:
        return KINDS[kind](**fields)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from None


def preset_names() -> tuple[str, ...]:
    """The names that `preset` and `build_model` know."""
    return tuple(PRESETS)


def preset(name: str) -> Rows:
    """The rows of a preset.

    Raises:
        ModelError: no preset of that name; the sentence lists the known ones and the nearest.
    """
    if name in PRESETS:
        return PRESETS[name]
    hint = did_you_mean(str(name), PRESETS)
    raise ModelError(f"{name!r}: no such net; {hint}known are {', '.join(PRESETS)}, or give a .yaml file of rows")


def resolve_rows(name_or_rows: str | Path | Rows) -> Rows:
    """Rows from a preset's name, from the path of a .yaml or .yml file, or as they are, checked.

    Raises:
        ModelError: unknown name, bad file, or rows that cannot follow each other.
    """
    if isinstance(name_or_rows, str | Path):
        if Path(name_or_rows).suffix.lower() in (".yaml", ".yml"):
            return load_rows(name_or_rows)
        return preset(str(name_or_rows))
    list(steps(name_or_rows))
    return tuple(name_or_rows)
