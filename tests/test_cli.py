"""Dataclasses as command lines, and what a user sees when something is wrong."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from kerastrash.cli import from_settings, parse, part_of, run, settings
from kerastrash.errors import DataError, require


@dataclass(frozen=True)
class Inner:
    """Inner settings."""

    rates: tuple[float, float] = (0.1, 0.2)
    """Lowest and highest."""


@dataclass(frozen=True)
class Base:
    """Base settings."""

    folder: Path | None = None
    """Where to look."""


@dataclass(frozen=True, kw_only=True)
class Settings(Base):
    """Example settings."""

    epochs: int = 3
    """How long."""
    max_rate: float = 1.0
    """How fast."""
    inner: Inner = field(default_factory=Inner)
    """More."""

    def __post_init__(self):
        require(self.epochs > 0, "epochs", self.epochs, "must be above 0")


def test_options_win_over_the_yaml_file_which_wins_over_defaults(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("epochs: 5\nfolder: here\ninner:\n  rates: [1, 2]\n")
    assert parse(Settings, []) == Settings()
    assert parse(Settings, ["--config", str(config)]) == Settings(epochs=5, folder=Path("here"), inner=Inner((1, 2)))
    assert parse(Settings, ["--config", str(config), "--epochs", "7"]).epochs == 7


def test_settings_survive_their_plain_form():
    config = Settings(epochs=4, folder=Path("a"), inner=Inner((0.5, 0.6)))
    assert from_settings(Settings, settings(config)) == config
    assert part_of(Base, config) == Base(Path("a"))


def test_options_are_taken_with_hyphens_and_with_underscores():
    assert parse(Settings, ["--max-rate=0.5"]).max_rate == parse(Settings, ["--max_rate", "0.5"]).max_rate == 0.5


def test_help_shows_the_attribute_docstrings(capsys):
    with pytest.raises(SystemExit):
        parse(Settings, ["--help"])
    shown = capsys.readouterr().out
    assert "How long." in shown
    assert "--max-rate" in shown


def test_a_users_mistake_is_a_sentence_and_exit_code_2(capsys):
    def main(config: Settings) -> None:
        raise DataError("a.json: no such [file]; check the path")

    with pytest.raises(SystemExit) as stop:
        run(main, [])
    assert stop.value.code == 2
    assert "a.json: no such [file]; check the path" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--epochs", "many"], ["--epoch_count", "3"]])
def test_a_wrong_option_is_named_with_exit_code_2(capsys, arguments):
    def main(config: Settings) -> None:
        raise AssertionError("must not be reached")

    with pytest.raises(SystemExit) as stop:
        run(main, arguments)
    assert stop.value.code == 2
    assert "epoch" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback():
    def main(config: Settings) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main, [])


@dataclass(frozen=True)
class Listing:
    """A command with a list at its end."""

    model: Path
    """One word."""
    images: list[str]
    """All the others."""
    top: int = 1
    """A number."""
    json: bool = False
    """A flag."""
    labels: tuple[str, ...] | None = None
    """A list before those words."""


@pytest.mark.parametrize(
    "line",
    ("m a b - --top 2 --json", "--json m --top=2 a b -", "m a --json true --top 2 b -", "--json --top 2 m a b -"),
)
def test_a_list_takes_the_words_that_are_left_and_a_flag_stands_alone(line):
    assert parse(Listing, line.split()) == Listing(Path("m"), ["a", "b", "-"], 2, True)


def test_a_flag_can_be_switched_off():
    assert parse(Listing, ["m", "a", "--json", "false"]) == Listing(Path("m"), ["a"])


@pytest.mark.parametrize(
    ("line", "labels"),
    (
        (["--labels", "[x,y]", "m", "a"], ("x", "y")),
        (["--labels", "[x,", "y]", "m", "a"], ("x", "y")),
        (["--labels", "null", "m", "a"], None),
        (["m", "a", "--labels", "x", "y"], ("x", "y")),
    ),
)
def test_a_list_in_brackets_ends_at_its_bracket(line, labels):
    assert parse(Listing, line) == Listing(Path("m"), ["a"], labels=labels)


@pytest.mark.parametrize("line", ("m", "m a --top", "m a --tip 3"))
def test_a_wrong_command_line_exits_with_2(line, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(Listing, line.split())
    assert "usage" in capsys.readouterr().err


@dataclass(frozen=True)
class Listed:
    """Options that are lists."""

    files: tuple[Path, ...] = ()
    """Paths."""
    sizes: tuple[int, ...] | None = (1,)
    """Numbers, or none."""
    formats: tuple[Literal["onnx", "keras"], ...] | Literal["all"] | None = None
    """Names, or one for all."""
    losses: tuple[Literal["a", "b"], ...] = ()
    """Names."""
    inner: Inner = field(default_factory=Inner)
    """More."""


@pytest.mark.parametrize(
    ("line", "expected"),
    (
        (["--files", "a.keras"], Listed(files=(Path("a.keras"),))),
        (["--files=a, b.keras"], Listed(files=(Path("a, b.keras"),))),
        (["--files", "a.keras", "b.keras", "--sizes", "8", "16"], Listed((Path("a.keras"), Path("b.keras")), (8, 16))),
        (["--files", "[a.keras,", "b.keras]"], Listed(files=(Path("a.keras"), Path("b.keras")))),
        (["--sizes", "null", "--formats", "all"], Listed(sizes=None, formats="all")),
        (["--sizes", "[2, 3]", "--formats", "onnx", "keras"], Listed(sizes=(2, 3), formats=("onnx", "keras"))),
        (["--formats", "onnx", "--losses", "b"], Listed(formats=("onnx",), losses=("b",))),
        (["--inner.rates", "0.5", "1"], Listed(inner=Inner((0.5, 1.0)))),
    ),
)
def test_a_list_option_takes_words_or_what_yaml_calls_a_list(line, expected):
    assert parse(Listed, line) == expected


@pytest.mark.parametrize("line", (["--files"], ["--sizes", "--formats", "all"], ["--sizes", "many"], ["--losses", "c"]))
def test_a_list_option_without_words_or_with_wrong_ones_exits_with_2(line, capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(Listed, line)
    assert line[0][2:] in capsys.readouterr().err
