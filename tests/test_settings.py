"""Settings as plain values and back, as command lines and YAML files, and the sentences for mistakes in them."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cyclopts
import pytest
import yaml

from kerastrash.cli import finish
from kerastrash.errors import ConfigError, require
from kerastrash.options import give_options, new_app
from kerastrash.settings import from_dict, to_dict


@dataclass(frozen=True)
class Recipe:
    epochs: int = 3
    """How long."""
    rate: float = 0.1
    loss: Literal["plain", "balanced"] = "plain"

    def __post_init__(self):
        require(self.epochs > 0, "epochs", self.epochs, "must be above 0")


@dataclass(frozen=True)
class Where:
    data: str = "sample"
    split_seed: int = 1


@dataclass(frozen=True)
class Work:
    """One field of every kind that options have."""

    model: Path
    """One word."""
    images: tuple[str, ...]
    name: str | None = None
    force: bool = False
    standard: bool = field(default=False, metadata={"alias": ("-",)})
    sizes: tuple[int, ...] | None = (64,)
    rates: tuple[float, float] = (0.1, 0.2)
    formats: tuple[Literal["onnx", "keras"], ...] | Literal["all"] = "all"
    teachers: tuple[Path, ...] = ()
    data: Where = field(default_factory=Where)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=8, rate=0.5))
    teacher: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Full(Work):
    """One field of every kind that settings have."""

    how: Recipe | None = None
    table: dict = field(default_factory=dict)
    extra: Any = None


def work(kind: type[Work] = Work, **values) -> Work:
    return kind(Path("m"), ("a", "b"), **values)


FULL = work(
    Full,
    name="x",
    force=True,
    sizes=(1, 2),
    rates=(0.5, 1.0),
    formats=("onnx",),
    teachers=(Path("t.keras"),),
    recipe=Recipe(epochs=1),
    how=Recipe(loss="balanced"),
    table={"a": 1},
    extra=[1, {"b": None}],
)


@pytest.mark.parametrize("settings", [work(Full), FULL], ids=["defaults", "all given"])
def test_settings_survive_yaml(settings):
    assert from_dict(Full, yaml.safe_load(yaml.safe_dump(to_dict(settings)))) == settings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"recipe": {"rate": "1e-3"}}, {"recipe": Recipe(epochs=8, rate=0.001)}),
        ({"recipe": {"rate": 1}}, {"recipe": Recipe(epochs=8, rate=1.0)}),
        ({"how": {"epochs": 2}}, {"how": Recipe(epochs=2)}),
        ({"sizes": None}, {"sizes": None}),
        ({"rates": [1, 2]}, {"rates": (1.0, 2.0)}),
    ],
)
def test_what_is_not_given_stays_at_its_default(values, expected):
    assert from_dict(Full, {"model": "m", "images": ["a", "b"]} | values) == work(Full, **expected)


def test_fields_are_laid_over_a_given_instance():
    settings = from_dict(Full, {"recipe": {"loss": "balanced"}}, default=FULL)
    assert to_dict(settings) == to_dict(FULL) | {"recipe": {"epochs": 1, "rate": 0.1, "loss": "balanced"}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1], "f.yaml: [1] is no mapping; write `field: value`, of the fields model, images, name, force"),
        ({}, "f.yaml: lacks model; give a path"),
        ({"model": 3}, "f.yaml: model is 3; give a path"),
        ({"naem": "x"}, "f.yaml: there is no field 'naem'; did you mean name? the fields are model, images, name"),
        ({"zzz": "x"}, "f.yaml: there is no field 'zzz'; the fields are model, images, name"),
        ({"name": 3}, "f.yaml: name is 3; give text, in quotes where it looks like a number, or null"),
        ({"force": 1}, "f.yaml: force is 1; give true or false"),
        ({"force": None}, "f.yaml: force is None; give true or false"),
        ({"sizes": 3}, "f.yaml: sizes is 3; give a list, of each entry a whole number, or null"),
        ({"sizes": [True]}, "f.yaml: sizes is [True]; give a list, of each entry a whole number, or null"),
        ({"rates": [1]}, "f.yaml: rates is [1]; give a list of 2: a number, a number"),
        ({"rates": ["a", 1]}, "f.yaml: rates is ['a', 1]; give a list of 2: a number, a number"),
        ({"formats": "onx"}, "f.yaml: formats is 'onx'; give a list, of each entry one of onnx, keras or one of all"),
        ({"table": [1]}, "f.yaml: table is [1]; give a mapping of fields"),
        ({"how": 1}, "f.yaml: how is 1; give a mapping of fields, or null"),
        ({"recipe": 3}, "f.yaml: recipe is 3; give a mapping of fields"),
        ({"recipe": {"rate": "nan"}}, "f.yaml, recipe: rate is 'nan'; give a number"),
        ({"recipe": {"rate": True}}, "f.yaml, recipe: rate is True; give a number"),
        ({"recipe": {"epoch": 3}}, "f.yaml, recipe: there is no field 'epoch'; did you mean epochs? the fields are"),
        ({"recipe": {"epochs": 0}}, "f.yaml, recipe: epochs=0 must be above 0"),
        ({"how": {"epochs": 0}}, "f.yaml, how: epochs=0 must be above 0"),
    ],
)
def test_a_mistake_is_a_sentence_with_its_place_and_what_may_stand_there(values, sentence):
    complete = {"model": "m", "images": [], **values} if isinstance(values, dict) and values else values
    with pytest.raises(ConfigError) as raised:
        from_dict(Full, complete, "f.yaml")
    assert str(raised.value).startswith(sentence)


def test_without_a_place_the_sentence_begins_with_the_field():
    with pytest.raises(ConfigError, match=r"^recipe: rate is 'fast'; give a number$"):
        from_dict(Work, {"model": "m", "images": [], "recipe": {"rate": "fast"}})


@pytest.fixture
def app() -> cyclopts.App:
    """Gives back the settings that a command line says."""
    app = new_app("work")
    give_options(app, "work", Work, lambda settings: settings)
    return app


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("m a b", work()),
        ("--force m a b", work(force=True)),
        ("m --force a b", work(force=True)),
        ("m a --sizes 1 2 --force", Work(Path("m"), ("a",), sizes=(1, 2), force=True)),
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
        ("m a b --rate 1e-3", work(recipe=Recipe(8, 0.001))),
        ("m a b --epochs 1 --epochs 2", work(recipe=Recipe(2, 0.5))),
        ("m a b --teacher.epochs 1 --loss balanced", work(teacher=Recipe(1), recipe=Recipe(8, 0.5, "balanced"))),
    ],
)
def test_a_command_line_becomes_settings(app, line, expected):
    assert app(line.split()) == expected


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("m a --epoch 3", "Unknown option: --epoch. Did you mean --epochs?"),
        ("m a --recipe.epochs 3", "Did you mean --teacher.epochs?"),
        ("m a --epochs many", 'Invalid value for --epochs: unable to convert "many" into int'),
        ("m a --epochs", "Parameter --epochs requires an argument"),
        ("m a --sizes", "--sizes requires at least 1 element"),
        ("m a --loss hinge", 'Invalid value "hinge" for --loss. Choose from: "plain", "balanced"'),
        ("m a --rates 1", "--rates requires 2 positional arguments"),
        ("m a --epochs 0", "error: --epochs=0 must be above 0"),
        ("m a --teacher.epochs 0", "error: --teacher.epochs=0 must be above 0"),
        ("m", "lacks images; give a list"),
        ("", "lacks model; give a path"),
    ],
)
def test_a_wrong_command_line_is_a_sentence_and_exit_status_2(app, capsys, line, sentence):
    with pytest.raises(SystemExit, match=r"^2$"):
        finish(app, line.split())
    assert sentence in capsys.readouterr().err


def test_options_win_over_the_yaml_file_which_wins_over_defaults(app, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model: m\nimages: [a, b]\nrecipe: {epochs: 5, loss: balanced}\ndata: {data: here}\n")
    expected = work(recipe=Recipe(5, 0.5, "balanced"), data=Where("here"))
    assert app(["--config", str(path)]) == expected
    given = app(["c", "--config", str(path), "--epochs", "7"])
    assert given == replace(expected, model=Path("c"), recipe=Recipe(7, 0.5, "balanced"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("- 1", ": holds no settings"),
        ("{images: [], recipe: {epochs: 0}}", ", recipe: epochs=0 must be"),
        ("{}", ": lacks images"),
    ],
)
def test_a_mistake_in_the_yaml_file_is_a_sentence_with_its_place(app, tmp_path, content, sentence):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(ConfigError, match=f"c.yaml{sentence}"):
        app(["m", "--config", str(tmp_path / "c.yaml")])


def test_help_shows_the_attribute_docstrings_under_their_headings(app, capsys):
    app(["--help"])
    shown = capsys.readouterr().out
    assert "Usage: work MODEL IMAGES... [OPTIONS]" in shown
    places = [shown.index(word) for word in (" Arguments ", "One word.", " Options ", "--epochs", " Recipe ", "--loss")]
    assert places == sorted(places)
    assert "How long. [default: 8]" in shown
    assert "--split-seed INT" in shown and "--teachers PATH..." in shown and "--rates FLOAT FLOAT" in shown
    assert "--teacher.epochs" in shown and "_" not in shown.replace("split_seed", "")
