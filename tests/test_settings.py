"""Settings as plain values and back, and the sentences for mistakes in them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from kerastrash.errors import ConfigError, require
from kerastrash.settings import from_dict, to_dict


@dataclass(frozen=True)
class Recipe:
    epochs: int = 3
    rate: float = 0.1
    loss: Literal["plain", "balanced"] = "plain"

    def __post_init__(self):
        require(self.epochs > 0, "epochs", self.epochs, "must be above 0")


@dataclass(frozen=True)
class Prune:
    share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Work:
    """One field of every kind that settings have."""

    model: Path
    name: str | None = None
    force: bool = False
    sizes: tuple[int, ...] | None = (64,)
    range: tuple[float, float] = (0.1, 0.2)
    formats: tuple[Literal["onnx", "keras"], ...] | Literal["all"] = "all"
    teachers: list[Path] = field(default_factory=list)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=8, rate=0.5))
    how: Prune | Recipe | None = None
    table: dict[str, int] = field(default_factory=dict)
    extra: Any = None
    threads: Literal[0, 1] = 1


FULL = Work(
    model=Path("a/b.keras"),
    name="x",
    force=True,
    sizes=(1, 2),
    range=(0.5, 1.0),
    formats=("onnx",),
    teachers=[Path("t.keras")],
    recipe=Recipe(epochs=1),
    how=Recipe(loss="balanced"),
    table={"a": 1},
    extra=[1, {"b": None}],
    threads=0,
)


@pytest.mark.parametrize("work", [Work(model=Path("m")), FULL], ids=["defaults", "all given"])
def test_settings_survive_yaml(work):
    assert from_dict(Work, yaml.safe_load(yaml.safe_dump(to_dict(work)))) == work


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"recipe": {"rate": "1e-3"}}, {"recipe": Recipe(epochs=8, rate=0.001)}),
        ({"recipe": {"rate": 1}}, {"recipe": Recipe(epochs=8, rate=1.0)}),
        ({"how": {"share": 0.1}}, {"how": Prune(0.1)}),
        ({"how": {"epochs": 2}}, {"how": Recipe(epochs=2)}),
        ({"how": Prune()}, {"how": Prune()}),
        ({"sizes": None}, {"sizes": None}),
        ({"range": [1, 2]}, {"range": (1.0, 2.0)}),
    ],
)
def test_what_is_not_given_stays_at_its_default(values, expected):
    assert from_dict(Work, {"model": "m"} | values) == Work(model=Path("m"), **expected)


def test_fields_are_laid_over_a_given_instance():
    work = from_dict(Work, {"recipe": {"loss": "balanced"}}, default=FULL)
    assert to_dict(work) == to_dict(FULL) | {"recipe": {"epochs": 1, "rate": 0.1, "loss": "balanced"}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1], "f.yaml: [1] is no mapping; write `field: value`, of the fields model, name, force"),
        ({}, "f.yaml: lacks model; give a path"),
        ({"model": 3}, "f.yaml: model is 3; give a path"),
        ({"naem": "x"}, "f.yaml: there is no field 'naem'; did you mean name? the fields are model, name"),
        ({"zzz": "x"}, "f.yaml: there is no field 'zzz'; the fields are model, name"),
        ({"name": 3}, "f.yaml: name is 3; give text, in quotes where it looks like a number, or null"),
        ({"force": 1}, "f.yaml: force is 1; give true or false"),
        ({"force": None}, "f.yaml: force is None; give true or false"),
        ({"sizes": 3}, "f.yaml: sizes is 3; give a list, of each entry a whole number, or null"),
        ({"sizes": [True]}, "f.yaml: sizes is [True]; give a list, of each entry a whole number, or null"),
        ({"range": [1]}, "f.yaml: range is [1]; give a list of 2: a number, a number"),
        ({"range": ["a", 1]}, "f.yaml: range is ['a', 1]; give a list of 2: a number, a number"),
        ({"formats": "onx"}, "f.yaml: formats is 'onx'; give a list, of each entry one of onnx, keras or one of all"),
        ({"threads": True}, "f.yaml: threads is True; give one of 0, 1"),
        ({"table": {"a": "b"}}, "f.yaml: table is {'a': 'b'}; give a mapping of fields"),
        ({"recipe": 3}, "f.yaml: recipe is 3; give a mapping of fields"),
        ({"recipe": {"rate": "nan"}}, "f.yaml, recipe: rate is 'nan'; give a number"),
        ({"recipe": {"rate": True}}, "f.yaml, recipe: rate is True; give a number"),
        ({"recipe": {"epoch": 3}}, "f.yaml, recipe: there is no field 'epoch'; did you mean epochs? the fields are"),
        ({"recipe": {"epochs": 0}}, "f.yaml, recipe: epochs=0 must be above 0"),
        ({"how": {"epochs": 0}}, "f.yaml, how: epochs=0 must be above 0"),
        ({"how": {"shares": 0}}, "f.yaml, how: there is no field 'shares'; did you mean share? the fields are share"),
    ],
)
def test_a_mistake_is_a_sentence_with_its_place_and_what_may_stand_there(values, sentence):
    complete = {"model": "m", **values} if isinstance(values, dict) and values else values
    with pytest.raises(ConfigError) as raised:
        from_dict(Work, complete, "f.yaml")
    assert str(raised.value).startswith(sentence)


def test_without_a_place_the_sentence_begins_with_the_field():
    with pytest.raises(ConfigError, match=r"^recipe: rate is 'fast'; give a number$"):
        from_dict(Work, {"model": "m", "recipe": {"rate": "fast"}})
