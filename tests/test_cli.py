"""Dataclasses as command lines, the verbs, and what a user sees when something is wrong."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from kerastrash import cli, commands
from kerastrash.cli import main, script
from kerastrash.errors import ConfigError, DataError, require
from kerastrash.options import described, give_options, new_app, options


@dataclass(frozen=True)
class Recipe:
    epochs: int = 3
    """How long."""
    learning_rate: float = 0.1
    loss: Literal["plain", "balanced"] = "plain"

    def __post_init__(self):
        require(self.epochs > 0, "epochs", self.epochs, "must be above 0")


@dataclass(frozen=True)
class Where:
    data: str = "sample"
    split_seed: int = 1


@dataclass(frozen=True)
class Work:
    model: Path
    """One word."""
    images: list[str]
    teachers: tuple[Path, ...] = ()
    sizes: tuple[int, ...] | None = (64,)
    formats: tuple[Literal["onnx", "keras"], ...] | Literal["all"] | None = None
    rates: tuple[float, float] = (0.1, 0.2)
    force: bool = False
    standard: bool = field(default=False, metadata={"alias": ("-",)})
    data: Where = field(default_factory=Where)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=8))
    teacher: Recipe = field(default_factory=Recipe)


def work(**values) -> Work:
    return Work(Path("m"), ["a", "b"], **values)


def parse(*words: str) -> Work:
    app = new_app("work")
    give_options(app, "work", Work, lambda settings: settings)
    return app(words)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("m a b", work()),
        ("--force m a b", work(force=True)),
        ("m --force a b", work(force=True)),
        ("m a --sizes 1 2 --force", Work(Path("m"), ["a"], sizes=(1, 2), force=True)),
        ("--images a b --model m", work()),
        ("m a b --force --no-force", work()),
        ("m a b --force=true", work(force=True)),
        ("m a b --force --force=false", work()),
        ("m a - b", work(standard=True)),
        ("m a b --teachers x.keras y.keras", work(teachers=(Path("x.keras"), Path("y.keras")))),
        ("m a b --sizes none", work(sizes=None)),
        ("m a b --sizes [2,3]", work(sizes=(2, 3))),
        ("m a b --sizes 2 --sizes 3", work(sizes=(2, 3))),
        ("m a b --formats all", work(formats="all")),
        ("m a b --formats onnx keras", work(formats=("onnx", "keras"))),
        ("m a b --rates 0.5 1", work(rates=(0.5, 1.0))),
        ("m a b --data d --split-seed -3", work(data=Where("d", -3))),
        ("m a b --split_seed=3", work(data=Where(split_seed=3))),
        ("m a b --learning-rate 1e-3", work(recipe=Recipe(8, 0.001))),
        ("m a b --epochs 1 --epochs 2", work(recipe=Recipe(2))),
        ("m a b --teacher.epochs 1 --loss balanced", work(teacher=Recipe(1), recipe=Recipe(8, loss="balanced"))),
    ],
)
def test_a_command_line_becomes_settings(line, expected):
    assert parse(*line.split()) == expected


def test_options_win_over_the_yaml_file_which_wins_over_defaults(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model: m\nimages: [a, b]\nrecipe: {epochs: 5, loss: balanced}\ndata: {data: here}\n")
    assert parse("--config", str(path)) == work(recipe=Recipe(5, loss="balanced"), data=Where("here"))
    given = parse("c", "--config", str(path), "--epochs", "7")
    assert given == Work(Path("c"), ["a", "b"], recipe=Recipe(7, loss="balanced"), data=Where("here"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "{model: m, images: [a], recipe: {epoch: 3}}",
            "c.yaml, recipe: there is no field 'epoch'; did you mean epochs",
        ),
        ("- 1", "c.yaml: holds no settings"),
        ("{model: m, images: [a], recipe: {epochs: 0}}", "c.yaml, recipe: epochs=0 must be above 0"),
        ("model: m", "c.yaml: lacks images"),
    ],
)
def test_a_mistake_in_the_yaml_file_is_a_sentence_with_its_place(tmp_path, content, sentence):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        parse("--config", str(tmp_path / "c.yaml"))


def exit_status(monkeypatch, program: Callable[[], None], *words: str) -> object:
    monkeypatch.setattr(sys, "argv", [*words])
    with pytest.raises(SystemExit) as stop:
        program()
    return stop.value.code


def call(monkeypatch, line: str, result: object = None) -> object:
    """The exit status of a script that takes `Work` and then returns or raises the result."""

    def run(config: Work):
        """Works."""
        if isinstance(result, BaseException):
            raise result
        return result

    return exit_status(monkeypatch, lambda: script(run), "work.py", *line.split())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("m a --epoch 3", "there is no option --epoch; did you mean --epochs"),
        ("m a --tip", "there is no option --tip"),
        ("m a --recipe.epochs 3", "there is no option --recipe.epochs; did you mean --teacher.epochs"),
        ("m a --epochs many", "--epochs is 'many'; give a whole number"),
        ("m a --epochs", "--epochs lacks its value; give a whole number"),
        ("m a --sizes", "--sizes lacks its value; give a list, of each entry a whole number"),
        ("m a --sizes many", "--sizes is 'many'; give a list, of each entry a whole number"),
        ("m a --loss hinge", "--loss is 'hinge'; give one of plain, balanced"),
        ("m a --rates 1", "--rates lacks its value; give a list of 2"),
        ("m a --epochs 0", "error: --epochs=0 must be above 0"),
        ("m a --teacher.epochs 0", "error: --teacher.epochs=0 must be above 0"),
        ("m", "lacks images; give a list"),
        ("", "lacks model; give a path"),
    ],
)
def test_a_wrong_command_line_is_a_sentence_and_exit_status_2(monkeypatch, capsys, line, sentence):
    assert call(monkeypatch, line, AssertionError("must not be reached")) == 2
    assert sentence in capsys.readouterr().err


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
    assert call(monkeypatch, "m a", result) == status
    assert message in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        call(monkeypatch, "m a", ZeroDivisionError())


def test_help_shows_the_attribute_docstrings_under_their_headings(monkeypatch, capsys):
    assert call(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    assert "Usage: work.py MODEL IMAGES... [OPTIONS]" in shown and "Works." in shown
    places = [shown.index(word) for word in (" Arguments ", "One word.", " Options ", "--epochs", " Recipe ", "--loss")]
    assert places == sorted(places)
    assert "How long. [default: 8]" in shown
    assert "--split-seed INTEGER" in shown and "--teachers PATH..." in shown and "--rates NUMBER NUMBER" in shown
    assert "--teacher.epochs" in shown and "_" not in shown.replace("split_seed", "")


def kerastrash(monkeypatch, *words) -> object:
    return exit_status(monkeypatch, main, "kerastrash", *words)


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_the_verbs_are_listed_each_with_its_line(monkeypatch, capsys, words):
    assert kerastrash(monkeypatch, *words) == 0
    shown = capsys.readouterr().out
    for name, verb in commands.VERBS.items():
        assert " " in name or (f" {name} " in shown and verb.help in shown), name


def test_an_unknown_verb_is_answered_with_the_nearest(monkeypatch, capsys):
    assert kerastrash(monkeypatch, "tunes") == 2
    assert "there is no command tunes; did you mean tune" in capsys.readouterr().err


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
