"""Dataclasses of settings as plain YAML and JSON values, and back, every mistake a sentence with its place."""

import contextlib
import dataclasses
import difflib
import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from kerastrash.errors import ConfigError

Settings = TypeVar("Settings")

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text, in quotes where it looks like a number",
    Path: "a path",
}


def to_dict(value: Any, named: bool = False) -> Any:
    """A dataclass, or what it holds, as plain values: dataclasses as mappings, paths as text, tuples as lists.

    Args:
        named: dataclasses stand below the names of their classes, and keys are text.
    """
    if dataclasses.is_dataclass(value):
        found = {field.name: to_dict(getattr(value, field.name), named) for field in dataclasses.fields(value)}
        return {type(value).__name__: found} if named else found
    if isinstance(value, tuple | list):
        return [to_dict(item, named) for item in value]
    if isinstance(value, Mapping):
        return {str(key) if named else key: to_dict(item, named) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def leaves(settings: Any, without: Set[str], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Path, value and default (or None) of every setting, at any depth, but those of the names `without`."""
    for field in dataclasses.fields(settings):
        path, value = (*above, field.name), getattr(settings, field.name)
        if field.name in without:
            continue
        if dataclasses.is_dataclass(value):
            yield from leaves(value, without, path)
        else:
            yield path, value, None if field.default is dataclasses.MISSING else field.default


def from_dict(cls: type[Settings], values: Any, where: object = "", default: Settings | None = None) -> Settings:
    """An instance of the dataclass: the inverse of `to_dict`. `where`, such as a file's name, stands in the messages.

    Fields that are not given stay as in `default`, or at the defaults of the class; so do those of a nested dataclass.

    Raises:
        ConfigError: naming where, field, value and what may stand there; for an unknown field, those nearest to it.
    """
    place, kinds = f"{where}: " if str(where) else "", field_types(cls)
    if not isinstance(values, dict):
        raise ConfigError(f"{place}{values!r} is no mapping; write `field: value`, of the fields {', '.join(kinds)}")
    if unknown := [name for name in values if name not in kinds]:
        hint = did_you_mean(str(unknown[0]), kinds)
        raise ConfigError(f"{place}there is no field {unknown[0]!r}; {hint}the fields are {', '.join(kinds)}")
    defaults = {field.name: default_of(field, default) for field in dataclasses.fields(cls)}
    for name in kinds:
        if name not in values and defaults[name] is dataclasses.MISSING:
            raise ConfigError(f"{place}lacks {name}; give {in_words(kinds[name])}")
    typed = {}
    for name, value in values.items():
        try:
            typed[name] = _convert(kinds[name], value, f"{where}, {name}" if str(where) else name, defaults[name])
        except _Unfit:
            raise ConfigError(f"{place}{name} is {value!r}; give {in_words(kinds[name])}") from None
    try:
        return cls(**typed) if default is None else dataclasses.replace(default, **typed)
    except ConfigError as error:
        raise ConfigError(f"{place}{error}") from None


def merged(below: Any, above: Any) -> Any:
    """Two plain values, one laid over the other: mappings field by field, all else as it is above."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {name: merged(below.get(name), value) for name, value in above.items()}


def default_of(field: dataclasses.Field, default: Any = None) -> Any:
    """What the field holds where nothing is given, in `default` or in its class; MISSING where something must be."""
    if default is not None:
        return getattr(default, field.name)
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def union_of(kind: Any) -> tuple[Any, ...]:
    """The types that a union allows; the type alone where it is none."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields, in their order."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`did you mean ...? ` with up to three names like this one; nothing where none is like it."""
    near = difflib.get_close_matches(name, list(names), n=3)
    return f"did you mean {' or '.join(near)}? " if near else ""


def in_words(kind: Any) -> str:
    """What a field of this type takes, such as `one of shuffle, balanced` or `a whole number, or null`."""
    arguments, allowed = get_args(kind), union_of(kind)
    if len(allowed) > 1:
        words = [in_words(part) for part in allowed if part is not NoneType]
        return " or ".join(words) + (", or null" if NoneType in allowed else "")
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if get_origin(kind) is tuple and Ellipsis not in arguments:
        return f"a list of {len(arguments)}: {', '.join(map(in_words, arguments))}"
    if get_origin(kind) is tuple:
        return f"a list, of each entry {in_words(arguments[0])}"
    return WORDS.get(kind, "a mapping of fields")


class _Unfit(Exception):
    """A value that is not of a type."""


def _convert(kind: Any, value: Any, where: str, default: Any = None) -> Any:
    """The value as one of this type; raises _Unfit where it is none, ConfigError where a field of it is wrong."""
    arguments, allowed = get_args(kind), union_of(kind)
    if len(allowed) > 1:
        for part in allowed:
            with contextlib.suppress(_Unfit):
                return _convert(part, value, where, default)
        raise _Unfit
    if dataclasses.is_dataclass(kind):
        return from_dict(kind, _instance(value, dict), where, default if isinstance(default, kind) else None)
    if get_origin(kind) is tuple:
        items = _instance(value, tuple, list)
        kinds = arguments if Ellipsis not in arguments else arguments[:1] * len(items)
        if len(kinds) != len(items):
            raise _Unfit
        numbered = enumerate(zip(kinds, items, strict=True), 1)
        return tuple(_convert(item_kind, item, f"{where} {n}") for n, (item_kind, item) in numbered)
    if get_origin(kind) is Literal:
        if value not in arguments:
            raise _Unfit
        return value
    if kind is Any:
        return value
    if kind is Path:
        return Path(_instance(value, str, Path))
    if kind is not bool and isinstance(value, bool):
        raise _Unfit
    if kind is float and isinstance(value, str):  # such as 1e-3, which YAML 1.1 does not read as a number
        try:
            value = float(value)
        except ValueError:
            raise _Unfit from None
        if not math.isfinite(value):
            raise _Unfit
    return float(_instance(value, int, float)) if kind is float else _instance(value, kind)


def _instance(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds):
        raise _Unfit
    return value
