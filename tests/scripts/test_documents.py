"""Every command that the documents and the scripts' own first lines show is one that its script takes."""

import re
import shlex
from pathlib import Path

import pytest

from kerastrash import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "scripts").glob("*.py"))]
COMMAND = re.compile(r"python (scripts/\w+\.py[^`&|\n]*)")


def commands() -> list:
    """The script and the words after it, once for each command."""
    found = {}
    for page in PAGES:
        for line in COMMAND.findall(page.read_text().replace("\\\n", " ")):
            script, *words = shlex.split(line, comments=True)
            if "..." not in words:
                shown = " ".join((script, *words))
                found[shown] = pytest.param(script, words, id=f"{page.stem}: {shown}")
    return list(found.values())


@pytest.fixture
def nothing_is_run(monkeypatch):
    """The scripts parse their command lines and call nothing."""
    run = cli.run

    def parsed(function):
        def nothing(config):
            return None

        nothing.__annotations__, nothing.__doc__ = function.__annotations__, function.__doc__
        return nothing

    def only_parse(function, arguments=None, commands=None):
        run(parsed(function), arguments, {name: parsed(other) for name, other in (commands or {}).items()})

    monkeypatch.setattr(cli, "run", only_parse)


@pytest.mark.parametrize(("name", "words"), commands())
def test_a_documents_command_is_taken(script, nothing_is_run, name, words):
    status, _, error = script(Path(name).stem, *words)
    assert status == 0, error
