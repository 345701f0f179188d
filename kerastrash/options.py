"""Command lines from dataclasses: nested settings as flat options, help from the attribute docstrings.

cyclopts parses: it takes lists of words, flags and their `--no-` form, accepts no abbreviation and needs none of its
arguments rewritten. What the user gave is laid over the `--config` file and the defaults by `kerastrash.settings`.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Annotated, Any, get_args

import cyclopts
import docstring_parser

from kerastrash.errors import ConfigError
from kerastrash.files import read_yaml
from kerastrash.settings import default_of, field_types, from_dict, merged

COMMON = frozenset({"data", "images", "epochs", "batch-size", "learning-rate"})
"""Options of nested settings that stand among a command's own in its help."""
ARGUMENTS = cyclopts.Group("Arguments", sort_key=0)
heading = functools.cache(cyclopts.Group)
ARGUMENT, OPTION = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY


def option(path: Sequence[str], name: str, kind: Any, default: Any, help: str, **extra: Any) -> inspect.Parameter:
    """A field as a parameter of a function that cyclopts calls: an argument where it has no default, else an option.

    Args:
        path: names of the fields that lead to it.
        name: as it is written after the hyphens.
        extra: the field's metadata: `argument`, whether it is one all the same, and `alias`, other spellings.
    """
    positional = default is MISSING or extra.get("argument", False)
    if positional or len(path) == 1 or name in COMMON:
        group = ARGUMENTS if positional else heading("Options", sort_key=1)
    else:
        group = heading(path[-2].replace("_", " ").capitalize(), sort_key=2)
    told = cyclopts.Parameter(
        name=(f"--{name}", *extra.get("alias", ())),
        help=help,
        group=group,
        required=False,  # it may stand in the --config file
        show_default=_shown(default),
        negative_iterable=(),
        allow_repeating=True,
        consume_multiple=1,  # or more words of a list
    )
    place = ARGUMENT if positional else OPTION
    return inspect.Parameter("__".join(path), place, default=None, annotation=Annotated[kind, told])


def described(option: inspect.Parameter) -> cyclopts.Parameter:
    """What cyclopts is told of an option: its names, help, group."""
    return option.annotation.__metadata__[0]


def options(
    cls: type, default: Any = None, path: tuple[str, ...] = (), taken: set[str] | None = None
) -> list[inspect.Parameter]:
    """The options of a dataclass, those of its nested ones after its own.

    Each has its field's name; where a nested dataclass has one that is taken, all of its options bear its own name in
    front: `--recipe.epochs`.
    """
    taken = {"config"} if taken is None else taken
    kinds, helps = field_types(cls), field_helps(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    default = None if default is MISSING else default
    defaults = {name: default_of(field, default) for name, field in fields.items()}
    nested = [name for name, kind in kinds.items() if dataclasses.is_dataclass(kind)]
    names = {name: name.replace("_", "-") for name in kinds if name not in nested}
    if path and taken & set(names.values()):
        names = {name: f"{path[-1].replace('_', '-')}.{short}" for name, short in names.items()}
    taken |= set(names.values())
    found = [
        option((*path, name), written, kinds[name], defaults[name], helps.get(name, ""), **fields[name].metadata)
        for name, written in names.items()
    ]
    for name in nested:
        found += options(kinds[name], defaults[name], (*path, name), taken)
    return found


def give_options(app: cyclopts.App, called: str, cls: type, run: Callable[[Any], Any]) -> None:
    """Makes the app, `called` so in its usage, take the options of a dataclass and call `run` with an instance."""
    config = option(["config"], "config", Path | None, None, "YAML file of settings; options win over it.")
    known = sorted([*options(cls), config], key=lambda each: each.kind)

    def call(*arguments: Any, **given: Any) -> Any:
        given |= dict(zip((each.name for each in known), arguments, strict=False))
        path = given.pop("config", None)
        values = read_yaml(path, ConfigError) if path else {}
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: holds no settings; write `name: value` lines, nested by group")
        for name, value in given.items():
            for part in reversed(name.split("__")):
                value = {part: value}
            values = merged(values, value)
        try:
            return run(from_dict(cls, values, where=path or ""))
        except ConfigError as error:
            raise ConfigError(_as_written(str(error), known)) from error

    call.__signature__ = inspect.Signature(known)
    call.__doc__ = inspect.getdoc(cls)
    app.default(call)
    arguments = {each.name.upper(): each.annotation.__origin__ for each in known if each.kind is ARGUMENT}
    places = [f"{name}..." if Ellipsis in get_args(kind) else name for name, kind in arguments.items()]
    app.usage = " ".join(["Usage:", called, *places, "[OPTIONS]"])


def _as_written(mistake: str, known: Sequence[inspect.Parameter]) -> str:
    """The sentence with the option for the field that it begins with: `--teacher.epochs=0 must be above 0`."""
    for each in known:
        *groups, name = each.name.split("__")
        for place in (f"{', '.join(groups)}: {name}", name):
            if mistake.startswith((f"{place}=", f"{place} is ")):
                return described(each).name[0] + mistake.removeprefix(place)
    return mistake


def new_app(name: str, **settings: Any) -> cyclopts.App:
    """An app of cyclopts with our headings, whose help is taken as it stands.

    Called with words it returns what the function that they name does; raises CycloptsError for a wrong word.
    """
    return cyclopts.App(
        name,
        help_format="plaintext",
        group_arguments=ARGUMENTS,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
        print_error=False,
        exit_on_error=False,
        **settings,
    )


@functools.cache
def field_helps(cls: type) -> dict[str, str]:
    """The docstrings of a dataclass's fields, inherited ones included, each in one line."""
    classes = [each for each in reversed(cls.__mro__) if dataclasses.is_dataclass(each)]
    found = [param for each in classes for param in docstring_parser.parse_from_object(each).params]
    return {param.arg_name: " ".join((param.description or "").split()) for param in found}


def _shown(default: Any) -> str | bool:
    """The default as the help shows it; False where it says nothing."""
    if default is MISSING or default in (None, False, ()):
        return False
    if default is True:
        return "true"
    return " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
