"""Systems files: what they may say, and the sentences for what they may not."""

from pathlib import Path

import pytest

from kerastrash.errors import ConfigError
from kerastrash.models import load_rows, parameters
from kerastrash.scoring.config import ClockConfig
from tuners.compare import systems_of
from tuners.config import CompareConfig
from tuners.systems import read_systems


def tiny(name, **fields):
    """The entry of a system that trains the tiny net."""
    return {"name": name, "net": "tiny.yaml", "input_size": 16, **fields}


def test_every_kind_of_system_is_read(write_systems, tmp_path):
    (tmp_path / "best.keras").write_bytes(b"")
    path = write_systems(
        tmp_path,
        tiny("base", team=1, width=0.5, note="theirs"),
        {"name": "lite", "weights": "efficientnet_lite0", "seeds": [5]},
        tiny("student", distill={"teachers": ["lite", "best.keras"], "temperature": 2}),
        {"name": "narrow", "prune": {"from": "base", "target": 0.25}, "recipe": {"epochs": 4}},
        baseline="base",
        seeds=[0, 1],
    )
    systems = read_systems(path)
    base, lite, student, narrow = systems.systems
    assert [system.settings.kind for system in systems.systems] == ["trained", "fine-tuned", "distilled", "pruned"]
    assert (systems.baseline, base.team, base.note, base.settings.input_size) == ("base", 1, "theirs", 16)
    assert parameters(base.settings.rows) < parameters(load_rows(tmp_path / "tiny.yaml"))
    assert (lite.seeds, lite.settings.input_size, lite.settings.rows, student.seeds) == ((5,), 224, None, (0, 1))
    assert student.origins == ("lite", tmp_path / "best.keras")
    assert (student.settings.distill.temperature, student.settings.distill.views) == (2.0, 8)
    assert (narrow.origins, narrow.settings.prune.target, narrow.settings.input_size) == (("base",), 0.25, None)
    recipe = narrow.settings.recipe
    assert (recipe.epochs, recipe.batch_size, base.settings.recipe.epochs) == (4, 8, 1)


def test_options_replace_the_data_of_the_file(write_systems, tmp_path, photographs):
    path = write_systems(tmp_path, tiny("base"))
    assert systems_of(CompareConfig(path)).data.data == str(photographs)
    data = systems_of(CompareConfig(path, data="other", cache=Path("here"))).data
    assert (data.data, data.cache) == ("other", Path("here"))


def test_options_that_contradict_the_file_are_refused(write_systems, tmp_path):
    path = write_systems(tmp_path, tiny("base"), tiny("b"), baseline="base")
    with pytest.raises(ConfigError, match=r"baseline_size=64 contradicts baseline: base in .*systems.yaml"):
        systems_of(CompareConfig(path, clock=ClockConfig(baseline_size=64)))
    with pytest.raises(ConfigError, match="only='smal' is no system; the systems are b, base"):
        systems_of(CompareConfig(path, only=("smal",)))


BAD = {
    "no name": ([{"net": "tiny.yaml"}], "system 1: lacks name; give text"),
    "no size": ([{"name": "a", "net": "tiny.yaml"}], "system a: lacks input_size; give the side"),
    "no origin": ([{"name": "a"}], "system a: give exactly one of net, weights and prune"),
    "two": ([tiny("a", weights="efficientnet_lite0")], "system a: give exactly one of net, weights and prune"),
    "not a mapping": (["a"], "system 1: 'a' is no mapping; write `field: value`"),
    "unknown field": ([tiny("a", inputsize=3)], "system a: there is no field 'inputsize'; did you mean input_size"),
    "type": ([tiny("a", input_size="big")], "system a: input_size is 'big'; give a whole number"),
    "null": ([tiny("a", width=None)], "system a: width is None; give a number"),
    "folder": ([tiny("../a")], "name '../a' is taken twice, or no name of a folder"),
    "twice": ([tiny("a"), tiny("a")], "name 'a' is taken twice"),
    "net": ([tiny("a", net="mobilenetv3_97")], "system a: 'mobilenetv3_97': no such net; did you mean mobilenetv3_79"),
    "pixels": ([tiny("a", input_size=0)], "system a: input_size is 0"),
    "weights": ([{"name": "a", "weights": "lite9"}], "system a: 'lite9': no such pretrained weights"),
    "wide weights": ([{"name": "a", "weights": "efficientnet_lite0", "width": 2}], "system a: width and depth"),
    "recipe": ([tiny("a", recipe={"loss": "hinge"})], "system a, recipe: loss is 'hinge'; give one of cross_entropy"),
    "range": ([tiny("a", recipe={"epochs": 0})], "system a, recipe: epochs=0 must be at least 1"),
    "seed": ([tiny("a", recipe={"seed": 1})], "system a, recipe: seed is 1; take it out and give `seeds:"),
    "seeds": ([tiny("a", seeds=[1, 1])], r"system a: seeds is \[1, 1\]; give whole numbers"),
    "no seeds": ([tiny("a", seeds=[])], r"system a: seeds is \[\]; give whole numbers"),
    "no teacher": ([tiny("a", distill={})], "system a, distill: teachers names none"),
    "teacher": ([tiny("a", distill={"teachers": ["b"]})], "distill, teachers: 'b' is no .keras file, and none of the"),
    "absent": ([tiny("a", distill={"teachers": ["b.keras"]})], "teachers: 'b.keras' is no .keras file"),
    "distill": (
        [tiny("a", distill={"teachers": ["a"], "views": -1})],
        "system a, distill: views=-1 must not be",
    ),
    "itself": ([tiny("a", distill={"teachers": ["a"]})], "a from a: no system can be made from itself"),
    "circle": (
        [tiny("a", distill={"teachers": ["b"]}), tiny("b", distill={"teachers": ["a"]})],
        "no system can be made from itself; break the circle",
    ),
    "from": ([{"name": "a", "prune": {"target": 0.5}}], "system a, prune: from is None; give the name of a system"),
    "target": (
        [tiny("b"), {"name": "a", "prune": {"from": "b", "target": 2}}],
        r"system a, prune: target=2.0 must lie in \(0, 1\)",
    ),
    "size of pruned": (
        [tiny("b"), {"name": "a", "prune": {"from": "b"}, "input_size": 9}],
        "system a: input_size is 9, but the net that is pruned has its own; take it out",
    ),
    "none": ([], "systems names none; give at least one"),
}


@pytest.mark.parametrize(("systems", "sentence"), BAD.values(), ids=BAD.keys())
def test_a_mistake_in_a_system_is_a_sentence_with_its_place(write_systems, tmp_path, systems, sentence):
    path = write_systems(tmp_path, *systems)
    with pytest.raises(ConfigError, match=sentence) as raised:
        read_systems(path)
    assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"baseline": "b"}, "baseline 'b' is none of its systems: a"),
        ({"recipe": {"epoch": 3}}, "systems.yaml, recipe: there is no field 'epoch'; did you mean epochs"),
        ({"recipe": {"seed": 3}}, "systems.yaml, recipe: seed is 3; take it out"),
        ({"data": {"validation": "some"}}, "systems.yaml, data: validation is 'some'; give a number"),
        ({"seeds": 3}, "systems.yaml: seeds is 3; give a list, of each entry a whole number"),
        ({"system": []}, "there is no field 'system'; did you mean systems"),
        ({"systems": {}}, "systems is {}; give a list, of each entry a mapping of fields"),
    ],
)
def test_a_mistake_in_the_file_is_a_sentence(write_systems, tmp_path, fields, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read_systems(write_systems(tmp_path, tiny("a"), **fields))


def test_a_file_that_is_absent_or_holds_a_list_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"absent.yaml: no such file"):
        read_systems(tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(ConfigError, match=r"list.yaml: .* is no mapping"):
        read_systems(tmp_path / "list.yaml")
