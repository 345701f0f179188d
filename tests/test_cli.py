"""Scripts and verbs: their exit status, their help, and what they load."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from kerastrash import cli, commands
from kerastrash.cli import main, script
from kerastrash.errors import DataError
from kerastrash.options import described, options


def exit_status(monkeypatch, program: Callable[[], None], *words: str) -> object:
    monkeypatch.setattr(sys, "argv", [*words])
    with pytest.raises(SystemExit) as stop:
        program()
    return stop.value.code


@dataclass(frozen=True)
class Settings:
    number: int = 1


def call(monkeypatch, line: str, result: object = None) -> object:
    """The exit status of a script that returns or raises the result."""

    def run(config: Settings):
        """Works."""
        if isinstance(result, BaseException):
            raise result
        return result

    return exit_status(monkeypatch, lambda: script(run), "work.py", *line.split())


@pytest.mark.parametrize(
    ("result", "status", "message"),
    [
        (None, 0, ""),
        (0, 0, ""),
        (1, 1, ""),
        (DataError("a.json: no such [file]; check the [/path]"), 2, "a.json: no such [file]; check the [/path]"),
        (KeyboardInterrupt(), 130, "goes on where this one stopped"),
    ],
)
def test_the_exit_status_is_what_is_returned_or_of_a_mistake_in_which_nothing_is_markup(
    monkeypatch, capsys, result, status, message
):
    assert call(monkeypatch, "--number 2", result) == status
    assert message in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        call(monkeypatch, "--number 2", ZeroDivisionError())


def test_the_help_of_a_script_is_that_of_its_function(monkeypatch, capsys):
    assert call(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    assert "Usage: work.py [OPTIONS]" in shown and "Works." in shown


def kerastrash(monkeypatch, *words) -> object:
    return exit_status(monkeypatch, main, "kerastrash", *words)


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_the_verbs_are_listed_each_with_its_line(monkeypatch, capsys, words):
    assert kerastrash(monkeypatch, *words) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", "").split())
    for name, verb in commands.VERBS.items():
        assert " " in name or f" {name} {verb.help.splitlines()[0]}" in shown, name


@pytest.mark.parametrize(
    ("words", "answer"), [(["tunes"], 'Unknown command "tunes". Did you mean "tune"?'), (["version", "x"], "x")]
)
def test_a_word_that_is_no_verb_or_stands_behind_one_is_named(monkeypatch, capsys, words, answer):
    assert kerastrash(monkeypatch, *words) == 2
    assert answer in capsys.readouterr().err


def test_version_and_doctor_say_what_is_here(monkeypatch, capsys):
    assert kerastrash(monkeypatch, "version") == 0
    (shown,) = capsys.readouterr().out.splitlines()
    assert shown.startswith("kerastrash 0.")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert kerastrash(monkeypatch, "doctor") == 0
    shown = capsys.readouterr().out
    for word in ("keras", "torch", "in use, on", ".tflite", "numpy", 'pip install "kerastrash[onnx]"'):
        assert word in shown


@pytest.mark.parametrize("name", [name for name, verb in commands.VERBS.items() if verb.settings])
def test_every_verb_has_help_whose_options_are_documented_in_few_words_of_common_ones(monkeypatch, capsys, name):
    known = [described(option) for option in options(commands.imported(commands.VERBS[name].settings))]
    assert all(option.help for option in known)
    assert kerastrash(monkeypatch, *name.split(), "--help") == 0
    assert f"Usage: kerastrash {name}" in capsys.readouterr().out
    assert sum(option.group[0].name == "Options" for option in known) <= 16


def test_help_and_a_wrong_option_need_neither_keras_nor_a_backend():
    heavy = {"keras", "torch", "tensorflow", "jax", "scipy", "sklearn", "keras_tuner"}
    code = "import sys; from kerastrash import cli, commands\nfor name in commands.VERBS: cli.verbs(name.split())\n"
    code += f"print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n", done.stderr


def test_torch_is_the_backend_of_a_verb_unless_another_is_named(monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "imported", lambda place: lambda: seen.append(cli.os.environ["KERAS_BACKEND"]))
    for given in (None, "jax"):
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        if given:
            monkeypatch.setenv("KERAS_BACKEND", given)
        kerastrash(monkeypatch, "version")
    assert seen == ["torch", "jax"]
