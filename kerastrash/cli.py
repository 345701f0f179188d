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
from typing import Any, TypeVar, get_origin, get_type_hints

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
    stand alone: `--force` is `--force true`. A positional list takes all the words that are left to it.
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
        if not equals and option not in ALONE:
            stands_alone = kinds.get(option[2:]) is bool and arguments[:1] not in (["true"], ["false"])
            equals, value = "=", "true" if stands_alone else arguments.pop(0) if arguments else ""
        options.append(option + equals + value)
    needed = [kinds[field.name] for field in dataclasses.fields(config_class) if _is_positional(field)]
    if needed and get_origin(needed[-1]) in (list, tuple) and len(places) >= len(needed):
        places = [*places[: len(needed) - 1], json.dumps(places[len(needed) - 1 :])]
    return places + options


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
