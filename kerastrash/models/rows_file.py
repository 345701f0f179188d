"""The YAML form of rows: a list with one `kind: {field: value}` a row, so that a net can be written without Python.

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
from kerastrash.models.checks import allowed_values
from kerastrash.models.costs import steps
from kerastrash.models.row import Row, Rows
from kerastrash.models.rows import (
    BasicBlock,
    Bneck,
    Bottleneck,
    Conv,
    Dense,
    Flatten,
    InvertedResidual,
    MaxPool,
    MBConv,
    Pool,
    ShuffleUnit,
)

ROW_CLASSES = (
    Conv,
    InvertedResidual,
    Bneck,
    MBConv,
    ShuffleUnit,
    BasicBlock,
    Bottleneck,
    MaxPool,
    Pool,
    Flatten,
    Dense,
)
KINDS: Mapping[str, type[Row]] = MappingProxyType({row_class.kind: row_class for row_class in ROW_CLASSES})


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


def _read_row(entry: Any, place: str) -> Row:
    kind, fields = _kind_and_fields(entry, place)
    if kind not in KINDS:
        raise ModelError(f"{place}: no kind of row is called {kind!r}; give one of {', '.join(KINDS)}")
    allowed = allowed_values(KINDS[kind])
    for name in fields:
        if name not in allowed:
            raise ModelError(f"{place}: {kind} has no field {name!r}; its fields are {', '.join(allowed) or 'none'}")
    for field in dataclasses.fields(KINDS[kind]):
        if field.default is dataclasses.MISSING and field.name not in fields:
            raise ModelError(f"{place}: {kind} lacks {field.name}; give {allowed[field.name].text}")
    try:
        return KINDS[kind](**fields)
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from None


def _kind_and_fields(entry: Any, place: str) -> tuple[Any, dict[Any, Any]]:
    """A row is `kind: {field: value}`, or the bare kind where every field keeps its default."""
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((kind, fields),) = entry.items()
        if fields is None or isinstance(fields, dict):
            return kind, fields or {}
    raise ModelError(f"{place}: {entry!r} is no row; write `kind: {{field: value}}`, kind one of {', '.join(KINDS)}")
