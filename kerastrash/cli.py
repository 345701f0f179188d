"""The command `kerastrash VERB`: what it takes, what it prints of a user's mistake, and its exit status."""

import inspect
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

import cyclopts
from rich.markup import escape

import kerastrash
from kerastrash.commands import VERBS, Verb, imported
from kerastrash.console import console
from kerastrash.errors import KerastrashError
from kerastrash.options import give_options, new_app
from kerastrash.settings import did_you_mean, in_words

HELP = "From a COCO annotation file to a trash classifier small and fast enough for a sorting robot."


def main(*words: str) -> NoReturn:
    """Runs the command line of this process, with `words` in front of its own."""
    words = [*words, *sys.argv[1:]]
    finish(verbs(words), words)


def script(function: Callable[[Any], Any]) -> NoReturn:
    """Runs a function of one dataclass as a program of its own, its docstring the help."""
    (cls,) = (kind for name, kind in get_type_hints(function).items() if name != "return")
    app = new_app(Path(sys.argv[0]).name, help=inspect.getdoc(function), version_flags=())
    give_options(app, app.name[0], cls, function)
    finish(app, sys.argv[1:])


def finish(app: cyclopts.App, words: Sequence[str]) -> NoReturn:
    """Runs what the words say.

    Exits with 0, or with the whole number that the function returns; with 2 after printing the message of a wrong
    option or of a KerastrashError; with 130 when interrupted. Other exceptions keep their traceback.
    """
    try:
        sys.exit(app(words) or 0)
    except (cyclopts.CycloptsError, KerastrashError) as error:
        message = str(error) if isinstance(error, KerastrashError) else sentence(error)
        console.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted:[/] the same command goes on where this one stopped")
        sys.exit(130)


def verbs(words: Sequence[str]) -> cyclopts.App:
    """All verbs; one has help where the words may mean it, options where they do: no other settings are imported."""
    root = new_app("kerastrash", help=HELP, version=lambda: kerastrash.__version__)
    named = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    for rank, (name, verb) in enumerate(VERBS.items()):
        *above, last = place = name.split()
        app = new_app(last, version_flags=(), sort_key=rank)
        (root[above[0]] if above else root).command(app)
        if named[: len(place)] == place[: len(named)]:
            app.help = verb.help
            if len(named) < len(place):
                continue
            if verb.settings:
                give_options(app, f"kerastrash {name}", imported(verb.settings), partial(execute, verb))
            else:
                app.default(partial(execute, verb))
    return root


def execute(verb: Verb, *settings: Any) -> Any:
    """Calls the verb's function; torch is the Keras backend unless KERAS_BACKEND names another."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return imported(verb.function)(*settings)


def sentence(error: cyclopts.CycloptsError) -> str:
    """What is wrong with a command line, and what it may be."""
    kind = in_words(error.argument.hint) if error.argument else ""
    match error:
        case cyclopts.CoercionError() if error.token and error.argument:
            return f"{error.token.keyword or error.argument.name} is {error.token.value!r}; give {kind}"
        case cyclopts.MissingArgumentError() if error.argument:
            return f"{error.keyword or error.argument.name} lacks its value; give {kind}"
        case cyclopts.UnknownOptionError():
            written = error.token.keyword or error.token.value
            names = [name for argument in error.argument_collection for name in argument.names]
            return f"there is no option {written}; {did_you_mean(written, names)}--help lists them"
        case cyclopts.UnknownCommandError() if error.unused_tokens:
            written, names = error.unused_tokens[0], [name for name in VERBS if " " not in name]
            return f"there is no command {written}; {did_you_mean(written, names)}the commands are {', '.join(names)}"
        case cyclopts.UnusedCliTokensError() if error.unused_tokens:
            return f"{' '.join(error.unused_tokens)}: what is that? no argument takes it; --help lists what there is"
    error.verbose = False
    return str(error)
