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
        error.verbose = False  # cyclopts would name our function
        console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
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
            call = partial(execute, verb)
            if verb.settings:
                give_options(app, f"kerastrash {name}", imported(verb.settings), call)
            else:
                call.__signature__ = inspect.Signature()  # takes no words
                app.default(call)
    return root


def execute(verb: Verb, *settings: Any) -> Any:
    """Calls the verb's function; torch is the Keras backend unless KERAS_BACKEND names another."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return imported(verb.function)(*settings)
