"""From a mapping in a YAML file to a dataclass, every mistake a sentence with its place and what may stand there."""

import argparse
import dataclasses
import difflib
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import jsonargparse

from kerastrash.errors import ConfigError

Config = TypeVar("Config")
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text, in quotes where it looks like a number",
    Path: "a path",
    dict: "a mapping of fields",
}


def read_fields(config_class: type[Config], values: Any, place: str) -> Config:
    """An instance of the dataclass, its other fields at their defaults.

    Args:
        place: where the mapping stands, for the messages: file, system, field.

    Raises:
        ConfigError: naming place, field, value and the allowed values.
    """
    kinds = {field.name: get_type_hints(config_class)[field.name] for field in dataclasses.fields(config_class)}
    if not isinstance(values, dict):
        raise ConfigError(f"{place}: {values!r} is no mapping; write `field: value`, of the fields {', '.join(kinds)}")
    for name in values:
        if name not in kinds:
            near = difflib.get_close_matches(str(name), kinds, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ConfigError(f"{place}: there is no field {name!r}; {hint}the fields are {', '.join(kinds)}")
    for field in dataclasses.fields(config_class):
        if field.name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{place}: lacks {field.name}; give {in_words(kinds[field.name])}")
    typed = {name: _typed(kinds[name], name, value, place) for name, value in values.items()}
    try:
        return config_class(**typed)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None


def in_words(kind: Any) -> str:
    """What a field of this type takes, such as `one of shuffle, balanced` or `a whole number, or null`."""
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        words = [in_words(part) for part in arguments if part is not NoneType]
        return " or ".join(words) + (", or null" if NoneType in arguments else "")
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if get_origin(kind) in (tuple, list):
        return f"a list, of each entry {in_words(arguments[0])}"
    return WORDS.get(get_origin(kind) or kind, "a mapping of fields")


def _typed(kind: Any, name: str, value: Any, place: str) -> Any:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{name}", type=kind)
    mistake = ConfigError(f"{place}: {name} is {value!r}; give {in_words(kind)}")
    if value is None and NoneType not in get_args(kind):
        raise mistake
    try:
        return parser.instantiate(parser.parse_object({name: value}))[name]
    except (argparse.ArgumentError, TypeError, ValueError):
        raise mistake from None
    except ConfigError as error:
        raise ConfigError(f"{place}, {name}: {error}") from None
