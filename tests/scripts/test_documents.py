"""Every command that the documents and the scripts' own first lines show is one that is taken."""

import re
import shlex
from pathlib import Path

import pytest

from kerastrash import cli, commands
from kerastrash.options import give_options

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "data/README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "scripts").rglob("*.py"))]
COMMAND = re.compile(r"(?:python scripts/([\w/]+)\.py|\bkerastrash (\w+))( [^`&|\n]*)")


def shown() -> list:
    """The script or verb and the words after it, once for each command."""
    found = {}
    for page in filter(Path.exists, PAGES):
        for script, verb, rest in COMMAND.findall(page.read_text().replace("\\\n", " ")):
            if verb and verb not in commands.VERBS:
                continue
            words = shlex.split(rest, comments=True)
            if "..." not in words:
                line = " ".join((script or verb, *words))
                found[line] = pytest.param(script or verb, words, id=f"{page.stem}: {line}")
    return list(found.values())


@pytest.mark.parametrize(("name", "words"), shown())
def test_a_documents_command_is_taken(done, monkeypatch, name, words):
    monkeypatch.setattr(cli, "execute", lambda verb, *settings: None)
    monkeypatch.setattr(cli, "give_options", lambda *given: give_options(*given[:-1], lambda settings: None))
    done(shlex.join((name, *words)))


def test_a_script_is_the_verb_of_its_name():
    names = {path.stem for path in (ROOT / "scripts").glob("*.py")} - {"gpu_check"}  # which checks the project itself
    assert names == {name for name, verb in commands.VERBS.items() if verb.settings and " " not in name}
    for name in names:
        assert f'main("{name}")' in (ROOT / "scripts" / f"{name}.py").read_text()
