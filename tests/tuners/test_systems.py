"""Systems files: what they may say; and their systems as jobs: order, seeds and origins, how a model is made."""

from dataclasses import replace

import pytest

from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError
from kerastrash.files import read_json
from kerastrash.jobs import RESULT, ChildProcesses, begin, refuse_changes
from kerastrash.models import load_rows, parameters
from kerastrash.runs import ENVIRONMENT
from kerastrash.scoring.config import ClockConfig
from tuners.compare import run_jobs, systems_of
from tuners.config import CompareConfig
from tuners.system_jobs import chosen, plan
from tuners.systems import read_systems
from tuners.trial import training_inputs


def tiny(name, **fields):
    """The entry of a system that trains the tiny net."""
    return {"name": name, "net": "tiny.yaml", "input_size": 16, **fields}


def taught(name, *teachers):
    return tiny(name, distill={"teachers": list(teachers)})


def pruned(name, **fields):
    return {"name": name, "prune": fields}


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
    data = systems_of(CompareConfig(path, data=DataConfig("other", split_seed=3))).data
    assert (data.data, data.split_seed, data.cache) == ("other", 3, tmp_path / "cache")


def test_options_that_contradict_the_file_are_refused(write_systems, tmp_path):
    path = write_systems(tmp_path, tiny("base"), tiny("b"), baseline="base")
    with pytest.raises(ConfigError, match=r"baseline_size=64 contradicts baseline: base in .*systems.yaml"):
        systems_of(CompareConfig(path, clock=ClockConfig(baseline_size=64)))
    with pytest.raises(ConfigError, match="only='smal' is no system; the systems are b, base"):
        systems_of(CompareConfig(path, only=("smal",)))


BAD = (
    ([{"net": "tiny.yaml"}], "system 1: lacks name; give text"),
    ([{"name": "a", "net": "tiny.yaml"}], "system a: lacks input_size; give the side"),
    ([{"name": "a"}], "system a: give exactly one of net, weights and prune"),
    ([tiny("a", weights="efficientnet_lite0")], "system a: give exactly one of net, weights and prune"),
    ([tiny("../a")], "name '../a' is taken twice, or no name of a folder"),
    ([tiny("a"), tiny("a")], "name 'a' is taken twice"),
    ([tiny("a", net="mobilenetv3_97")], "system a: 'mobilenetv3_97': no such net; did you mean mobilenetv3_79"),
    ([tiny("a", input_size=0)], "system a: input_size is 0"),
    ([{"name": "a", "weights": "lite9"}], "system a: 'lite9': no such pretrained weights"),
    ([{"name": "a", "weights": "efficientnet_lite0", "width": 2}], "system a: width and depth"),
    ([tiny("a", recipe={"epochs": 0})], "system a, recipe: epochs=0 must be at least 1"),
    ([tiny("a", recipe={"seed": 1})], "system a, recipe: seed is 1; take it out and give `seeds:"),
    ([tiny("a", seeds=[1, 1])], r"system a: seeds is \[1, 1\]; give whole numbers"),
    ([tiny("a", seeds=[])], r"system a: seeds is \[\]; give whole numbers"),
    ([tiny("a", distill={})], "system a, distill: teachers names none"),
    ([taught("a", "b")], "system a, distill, teachers: 'b' is no .keras file, and none of the systems a"),
    ([taught("a", "b.keras")], "teachers: 'b.keras' is no .keras file"),
    ([tiny("a", distill={"teachers": ["a"], "views": -1})], "system a, distill: views=-1 must not be"),
    ([taught("a", "a")], "a from a: no system can be made from itself"),
    ([taught("a", "b"), taught("b", "a")], "no system can be made from itself; break the circle"),
    ([pruned("a", target=0.5)], "system a, prune: from is None; give the name of a system"),
    ([pruned("a", **{"from": "b"})], "system a, prune, from: 'b' is no .keras file"),
    ([tiny("b"), pruned("a", **{"from": "b", "target": 2})], r"system a, prune: target=2.0 must lie in \(0, 1\)"),
    (
        [{**pruned("a", **{"from": "b"}), "input_size": 9}],
        "a: input_size is 9, but the net .* has its own; take it out",
    ),
    ([], "systems names none; give at least one"),
)
BAD_FIELDS = (
    ({"baseline": "b"}, "baseline 'b' is none of its systems: a"),
    ({"recipe": {"epoch": 3}}, "systems.yaml, recipe: there is no field 'epoch'; did you mean epochs"),
    ({"recipe": {"seed": 3}}, "systems.yaml, recipe: seed is 3; take it out"),
    ({"data": {"validation": "some"}}, "systems.yaml, data: validation is 'some'; give a number"),
)


@pytest.mark.parametrize(
    ("fields", "sentence"), [*(({"systems": systems}, sentence) for systems, sentence in BAD), *BAD_FIELDS]
)
def test_a_mistake_is_a_sentence_with_its_place(write_systems, tmp_path, fields, sentence):
    path = write_systems(tmp_path, tiny("a"), **fields)
    with pytest.raises(ConfigError, match=sentence) as raised:
        read_systems(path)
    assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize(("name", "sentence"), [("absent", "no such file"), ("list", ".* is no mapping")])
def test_a_file_that_is_absent_or_holds_a_list_is_a_sentence(tmp_path, name, sentence):
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(ConfigError, match=rf"{name}.yaml: {sentence}"):
        read_systems(tmp_path / f"{name}.yaml")


@pytest.fixture
def jobs(write_systems, tmp_path):
    systems = [taught("student", "teacher", "base"), tiny("base"), tiny("teacher", seeds=[7])]
    systems += [{**pruned("narrow", **{"from": "student"}), "seeds": [1]}, tiny("other", seeds=[2])]
    return plan(read_systems(write_systems(tmp_path, *systems, seeds=[0, 1])), tmp_path / "run", {})


def test_first_seeds_come_first_and_every_job_after_its_origins(jobs):
    order = ["teacher 7", "base 0", "student 0", "base 1", "student 1", "narrow 1", "other 2"]
    assert [f"{job.system} {job.seed}" for job in jobs] == order


def test_a_seed_is_made_from_the_same_seed_or_from_the_first(jobs, tmp_path):
    student, folder = jobs[4], tmp_path / "run" / "systems"
    assert student.settings.origins == (folder / "teacher/seed-7/best.keras", folder / "base/seed-1/best.keras")
    assert (str(student), student.folder) == ("student, seed 1", folder / "student" / "seed-1")


def test_only_some_systems_are_chosen_with_all_that_they_are_made_from(jobs):
    assert chosen(jobs, None) == list(jobs)
    names = ["teacher, seed 7", "base, seed 1", "student, seed 1", "narrow, seed 1"]
    assert [str(job) for job in chosen(jobs, ("narrow",))] == names


def test_wherever_files_lie_and_however_many_work_it_is_the_same_system(jobs, tmp_path):
    settings = jobs[4].settings
    for name in ("one.keras", "moved.keras"):
        (tmp_path / name).write_bytes(b"one")
    begin(replace(jobs[4], origins=(tmp_path / "one.keras",)))
    recipe, data = replace(settings.recipe, workers=3), replace(settings.data, cache=tmp_path / "elsewhere")
    origins = (tmp_path / "moved.keras",)
    moved = replace(settings, recipe=recipe, data=data, origins=origins)
    refuse_changes(replace(jobs[4], settings=moved, origins=origins))


@pytest.fixture
def base(write_systems, tmp_path):
    systems = read_systems(write_systems(tmp_path, tiny("base"), seeds=[3]))
    (job,) = plan(systems, tmp_path / "run", training_inputs(prepare(systems.data, 16)))
    return job


def test_a_model_is_made_in_a_process_of_its_own(base, tmp_path):
    outcome = run_jobs([base], [base], ChildProcesses())[base.folder]
    assert outcome.finished, outcome.reason
    made = outcome.value
    assert made == read_json(base.folder / RESULT)["value"] and base.model.exists()
    assert (made["epochs"], made["input_size"]) == (1, 16)
    assert made["parameters"] == parameters(load_rows(tmp_path / "tiny.yaml"), 3)
    assert made["device"] and made["seconds"] > 0
    assert "packages" in read_json(base.folder / ENVIRONMENT)
