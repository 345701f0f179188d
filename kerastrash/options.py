"""Command lines from dataclasses: nested settings as flat options, help from the attribute docstrings.

cyclopts parses: it takes lists of words, flags and their `--no-` form, accepts no abbreviation and needs none of its
arguments rewritten. What the user gave is laid over the `--config` file and the defaults by `kerastrash.settings`.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import cyclopts
import docstring_parser

from kerastrash.errors import ConfigError
from kerastrash.files import read_yaml
from kerastrash.settings import Settings, default_of, field_types, from_dict, merged, union_of

COMMON = frozenset({"data", "images", "epochs", "batch-size", "learning-rate"})
"""Options of nested settings that stand among a command's own in its help."""
ARGUMENTS = cyclopts.Group("Arguments", sort_key=0)
WORDS = {bool: "", int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True)
class Option:
    """One field of the settings, wherever it is nested, as an option or, where it has no default, as an argument."""

    path: tuple[str, ...]
    """Names of the fields that lead to it."""
    name: str
    """As it is written after the hyphens: its own name, after that of its group where another option has that name."""
    kind: Any
    default: Any
    help: str
    positional: bool = False
    """Whether it is an argument, given by its place: where there is no default, or the field's metadata says so."""
    alias: tuple[str, ...] = ()
    """Other spellings, from the field's metadata."""

    @property
    def heading(self) -> cyclopts.Group:
        """Its rank in the help: arguments first, then the command's own and common options, then by group."""
        if self.positional:
            return ARGUMENTS
        if len(self.path) == 1 or self.name in COMMON:
            return heading("Options", 1)
        return heading(self.path[-2].replace("_", " ").capitalize(), 2)

    def parameter(self) -> inspect.Parameter:
        """The option as a parameter of a function that cyclopts calls."""
        described = cyclopts.Parameter(
            name=(f"--{self.name}", *self.alias),
            help=self.help,
            group=self.heading,
            metavar=in_capitals(self.kind),
            required=False,  # it may stand in the --config file
            show_default=_shown(self.default),
            negative_iterable=(),
            allow_repeating=True,
            consume_multiple=1 if is_list(self.kind) else None,
        )
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if self.positional else inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter("__".join(self.path), kind, default=None, annotation=Annotated[self.kind, described])


CONFIG = Option(("config",), "config", Path | None, None, "YAML file of settings; options win over it.")


def options(cls: type, default: Any = None, path: tuple[str, ...] = (), taken: set[str] | None = None) -> list[Option]:
    """The options of a dataclass, those of its nested ones after its own.

    Where a nested dataclass has a name that is taken, all of its options bear its own name in front:
    `--recipe.epochs`.
    """
    taken = {CONFIG.name} if taken is None else taken
    kinds, helps = field_types(cls), field_helps(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    default = None if default is MISSING else default
    defaults = {name: default_of(field, default) for name, field in fields.items()}
    nested = [name for name, kind in kinds.items() if dataclasses.is_dataclass(kind)]
    names = {name: hyphenated(name) for name in kinds if name not in nested}
    if path and taken & set(names.values()):
        names = {name: f"{hyphenated(path[-1])}.{short}" for name, short in names.items()}
    taken |= set(names.values())
    own = [
        Option(
            (*path, name),
            written,
            kinds[name],
            defaults[name],
            helps.get(name, ""),
            positional=defaults[name] is MISSING or fields[name].metadata.get("argument", False),
            alias=fields[name].metadata.get("alias", ()),
        )
        for name, written in names.items()
    ]
    below = [option for name in nested for option in options(kinds[name], defaults[name], (*path, name), taken)]
    return own + below


def command(cls: type, run: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function for cyclopts, with a parameter for each option of the dataclass, that calls `run` with an instance."""
    known = [*options(cls), CONFIG]
    paths = {"__".join(option.path): option.path for option in known}

    def call(*arguments: Any, **given: Any) -> Any:
        given |= dict(zip(paths, arguments, strict=False))
        config = given.pop(CONFIG.name, None)
        values = read_mapping(config) if config else {}
        for name, value in given.items():
            values = merged(values, nest(paths[name], value))
        return run(from_dict(cls, values, where=config or ""))

    parameters = sorted((option.parameter() for option in known), key=lambda parameter: parameter.kind)
    call.__signature__ = inspect.Signature(parameters)
    call.__doc__ = inspect.getdoc(cls)
    return call


def parse(cls: type[Settings], words: Sequence[str]) -> Settings:
    """The settings that a command line says.

    Raises:
        CycloptsError: a wrong option or value.
        ConfigError: a setting that is missing or out of its range.
    """
    app = new_app(cls.__name__)
    give_options(app, cls.__name__, cls, lambda settings: settings)
    return call(app, words)


def new_app(name: str, **settings: Any) -> cyclopts.App:
    """An app of cyclopts with our headings, whose help is taken as it stands."""
    return cyclopts.App(
        name, help_format="plaintext", group_arguments=ARGUMENTS, suppress_keyboard_interrupt=False, **settings
    )


def give_options(app: cyclopts.App, called: str, cls: type, function: Callable[[Any], Any]) -> None:
    """Makes the app, which is called so, take the options of a dataclass and pass an instance to the function."""
    app.default(command(cls, function))
    places = [in_usage(option) for option in options(cls) if option.positional]
    app.usage = " ".join(["Usage:", called, *places, "[OPTIONS]"])


def call(app: cyclopts.App, words: Sequence[str]) -> Any:
    """What the function that the words name returns; raises CycloptsError for a wrong word."""
    return app(words, result_action="return_value", print_error=False, exit_on_error=False)


def read_mapping(path: Path) -> dict[str, Any]:
    """The settings of a `--config` file; raises ConfigError where it cannot be read or holds something else."""
    values = read_yaml(path, ConfigError)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no settings; write `name: value` lines, nested by group")
    return values


def nest(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """{"a": {"b": value}} for the path a, b."""
    for name in reversed(path):
        value = {name: value}
    return value


def in_usage(option: Option) -> str:
    """An argument as the usage line shows it."""
    name = option.name.upper()
    return f"{name}..." if is_list(option.kind) else name


def is_list(kind: Any) -> bool:
    """Whether a value may be any number of words."""
    return any(get_origin(part) is list or Ellipsis in get_args(part) for part in union_of(kind))


@functools.cache
def heading(name: str, rank: int) -> cyclopts.Group:
    """A heading of the help, one for each name."""
    return cyclopts.Group(name, sort_key=rank)


@functools.cache
def field_helps(cls: type) -> dict[str, str]:
    """The docstrings of a dataclass's fields, inherited ones included, each in one line."""
    classes = [each for each in reversed(cls.__mro__) if dataclasses.is_dataclass(each)]
    found = [param for each in classes for param in docstring_parser.parse_from_object(each).params]
    return {param.arg_name: " ".join((param.description or "").split()) for param in found}


def hyphenated(name: str) -> str:
    """A field's name as the command line spells it."""
    return name.replace("_", "-")


def in_capitals(kind: Any) -> str:
    """What stands for a value in the help, such as INTEGER, or PATH... for a list."""
    if get_origin(kind) is Literal:
        return "CHOICE"
    if len(allowed := union_of(kind)) > 1:
        return "|".join(dict.fromkeys(in_capitals(part) for part in allowed if part is not NoneType))
    if get_origin(kind) in (tuple, list):
        items = [in_capitals(item) for item in get_args(kind) if item is not Ellipsis]
        return f"{items[0]}..." if Ellipsis in get_args(kind) or get_origin(kind) is list else " ".join(items)
    return WORDS[kind]


def _shown(default: Any) -> str | bool:
    """The default as the help shows it; False where it says nothing."""
    if default is MISSING or default in (None, False, (), []):
        return False
    if default is True:
        return "true"
    return " ".join(map(str, default)) if isinstance(default, tuple | list) else str(default)
