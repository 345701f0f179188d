"""From a dataclass to a command line: flat options, `--config FILE.yaml`, help from the attribute docstrings.

jsonargparse does the parsing: it is dataclass-first, reads YAML, is released monthly and needs only PyYAML.
"""

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import jsonargparse
from rich.markup import escape

from kerastrash.console import console
from kerastrash.errors import KerastrashError

Config = TypeVar("Config")

ALONE = ("-h", "--help", "--print_config", "--print-config")
"""Options of the parser's own that take no value."""


def run(
    function: Callable[[Any], object],
    arguments: Sequence[str] | None = None,
    commands: Mapping[str, Callable[[Any], object]] | None = None,
) -> None:
    """Parses the command line into the single dataclass argument of `function`, then calls it.

    Where the first word is one of `commands`, that function takes the place of `function`. A field without a default
    is a positional argument. Exits with 0 (or with the whole number that the function returns), with 2 after printing
    the message of a KerastrashError (or of a wrong option), and with 130 when interrupted; other exceptions keep their
    traceback.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    description = function.__doc__
    if commands and arguments[:1] and arguments[0] in commands:
        function = commands[arguments.pop(0)]
        description = function.__doc__
    elif commands:
        description = f"{description} Other commands, each with its own --help: {', '.join(commands)}."
    (config_class,) = (kind for name, kind in get_type_hints(function).items() if name != "return")
    try:
        sys.exit(function(parse(config_class, arguments, description)) or 0)
    except KerastrashError as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted:[/] the same command goes on where this one stopped")
        sys.exit(130)


def parse(config_class: type[Config], arguments: Sequence[str] | None = None, description: str | None = None) -> Config:
    """Returns an instance of the dataclass filled from defaults, `--config` files and options, later ones winning.

    Options are written with hyphens or underscores: `--max-params` is `--max_params`. Those that are true or false may
    stand alone: `--force` is `--force true`. A list takes all words up to the next option, `--seeds 0 1`, or is written
    as YAML has it, `--seeds '[0, 1]'`, and ends there; a positional one takes all the words that are left to it.
    """
    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = jsonargparse.ArgumentParser(
        description=description, usage="%(prog)s [options]", formatter_class=HyphenatedHelp
    )
    parser.add_argument("--config", action="config", help="YAML file of these options, nested as their dots say.")
    parser.add_class_arguments(config_class, as_positional=True)
    arguments = sys.argv[1:] if arguments is None else arguments
    values = parser.instantiate(parser.parse_args(_arranged(config_class, list(arguments))))
    return config_class(**{field.name: values[field.name] for field in dataclasses.fields(config_class)})


class HyphenatedHelp(jsonargparse.DefaultHelpFormatter):
    """Help that shows options with hyphens."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        shown = super()._format_action_invocation(action)
        return re.sub(r"--\S+", lambda option: option.group().replace("_", "-"), shown)


def _arranged(config_class: type, arguments: list[str]) -> list[str]:
    """The command line as jsonargparse takes it: positional words first, options as `--some_name=value`."""
    kinds = get_type_hints(config_class)
    places, options = [], []
    while arguments:
        word = arguments.pop(0)
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        option, equals, value = word.partition("=")
        option = option if option in ALONE else "--" + option.lstrip("-").replace("-", "_")
        if option not in ALONE:
            kind = _kind(config_class, option[2:])
            value = _listed(kind, [value]) if equals else _value(kind, arguments)
            equals = "="
        options.append(option + equals + value)
    needed = [kinds[field.name] for field in dataclasses.fields(config_class) if _is_positional(field)]
    if needed and _items(needed[-1]) is not None and len(places) >= len(needed):
        places = [*places[: len(needed) - 1], json.dumps(places[len(needed) - 1 :])]
    return places + options


def _kind(config_class: type, option: str) -> Any:
    """The type of an option, such as `epochs` or `space.widths`; None where there is no such option."""
    kind = config_class
    for name in option.split("."):
        kind = get_type_hints(kind).get(name) if dataclasses.is_dataclass(kind) else None
    return kind


def _value(kind: Any, following: list[str]) -> str:
    """Takes an option's value from the words that follow it."""
    if kind is bool and following[:1] not in (["true"], ["false"]):
        return "true"
    if _items(kind) is None:
        return following.pop(0) if following else ""
    words = []
    while following and not following[0].startswith("-") and not (words and _is_whole(kind, " ".join(words))):
        words.append(following.pop(0))
    return _listed(kind, words)


def _listed(kind: Any, words: list[str]) -> str:
    """The words of a list as YAML; what is whole already stays."""
    text = " ".join(words)
    if not words or _items(kind) is None or text.startswith("[") or _is_whole(kind, text):
        return text
    return f"[{', '.join(words)}]" if _items(kind) in (int, float, bool) else json.dumps(words)


def _is_whole(kind: Any, text: str) -> bool:
    """Whether the text is a list in YAML, or stands for no list at all, such as `null` or a literal `all`."""
    literals = {value for part in _parts(kind, Literal) for value in get_args(part)}
    return (text.startswith("[") and text.endswith("]")) or text in {"null", "none", *literals}


def _items(kind: Any) -> Any:
    """The type of what a list or tuple holds, also of one that may be something else instead; None for no list."""
    return next((get_args(part)[0] for part in _parts(kind, list, tuple)), None)


def _parts(kind: Any, *origins: Any) -> list[Any]:
    """Those of the types that a union allows, or the type alone, that are made from `origins`."""
    allowed = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return [part for part in allowed if get_origin(part) in origins]


def _is_positional(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def from_settings(config_class: type[Config], values: dict[str, Any]) -> Config:
    """The inverse of `settings`: an instance of the dataclass, its values checked against their types."""
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(config_class, "config")
    return parser.instantiate(parser.parse_object({"config": values})).config


def part_of(config_class: type[Config], config: Any) -> Config:
    """The settings of a base class out of a config that inherits them, as an instance of that base class."""
    return config_class(**{field.name: getattr(config, field.name) for field in dataclasses.fields(config_class)})


def settings(config: Any) -> dict[str, Any]:
    """The fields of a dataclass as plain YAML and JSON values: paths as text, tuples as lists."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return settings(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value
