"""Systems as jobs: their order, seeds and origins, how one is made, and the ways in which it can fail."""

from dataclasses import replace

import pytest

from kerastrash.compress.config import DistillSettings, PruneSettings
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError
from kerastrash.files import read_json
from kerastrash.jobs import RESULT, ChildProcesses, Job, refuse_changes, run, stored
from kerastrash.models import load_rows, parameters
from kerastrash.models.layers import Conv, Pool
from kerastrash.runs import ENVIRONMENT
from kerastrash.training.recipe import Recipe
from tuners.compare import run_jobs
from tuners.system_jobs import chosen, plan
from tuners.systems import SystemSettings, read_systems
from tuners.trial import training_inputs

NET = {"net": "tiny.yaml", "input_size": 16}
ROWS = (Conv(8, kernel=3, stride=2), Pool())


@pytest.fixture
def jobs(write_systems, tmp_path):
    path = write_systems(
        tmp_path,
        {"name": "student", **NET, "distill": {"teachers": ["teacher", "base"]}},
        {"name": "base", **NET},
        {"name": "teacher", **NET, "seeds": [7]},
        {"name": "narrow", "prune": {"from": "student"}, "seeds": [1]},
        {"name": "other", **NET, "seeds": [2]},
        seeds=[0, 1],
    )
    return plan(read_systems(path), tmp_path / "run", {})


def test_first_seeds_come_first_and_every_job_after_its_origins(jobs):
    order = ["teacher 7", "base 0", "student 0", "base 1", "student 1", "narrow 1", "other 2"]
    assert [f"{job.system} {job.seed}" for job in jobs] == order


def test_a_seed_is_made_from_the_same_seed_or_from_the_first(jobs, tmp_path):
    student = next(job for job in jobs if str(job) == "student, seed 1")
    folder = tmp_path / "run" / "systems"
    assert student.settings.origins == (folder / "teacher/seed-7/best.keras", folder / "base/seed-1/best.keras")
    assert student.folder == folder / "student" / "seed-1"


def test_only_some_systems_are_chosen_with_all_that_they_are_made_from(jobs):
    assert chosen(jobs, None) == list(jobs)
    names = ["teacher, seed 7", "base, seed 1", "student, seed 1", "narrow, seed 1"]
    assert [str(job) for job in chosen(jobs, ("narrow",))] == names


@pytest.fixture
def student(tmp_path, here) -> Job:
    """A job that has failed at once: its teacher's file is none."""
    (tmp_path / "teacher.keras").write_bytes(b"one")
    settings = SystemSettings(
        rows=ROWS,
        weights=None,
        input_size=16,
        recipe=Recipe(epochs=2, seed=1),
        data=DataConfig(cache=tmp_path / "cache", data=str(tmp_path / "absent")),
        origins=(tmp_path / "teacher.keras",),
        distill=DistillSettings(views=2),
    )
    folder = tmp_path / "student" / "seed-1"
    job = Job("tuners.system_jobs:make", settings, folder, {"photographs": "abc"}, settings.origins)
    assert "absent: no such file or folder" in run(job, here).reason
    assert stored(job).traceback == ""
    return job


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"recipe": Recipe(epochs=3, seed=1)}, "recipe.epochs=2, not 3"),
        ({"recipe": Recipe(epochs=2, seed=1, tau=2.0)}, "recipe.tau=1.0, not 2.0"),
        ({"input_size": 24}, "input_size=16, not 24"),
        ({"distill": DistillSettings(views=3)}, "distill.views=2, not 3"),
        ({"distill": None}, r"distill\..*, not None"),
        ({"prune": PruneSettings(target=0.3)}, r"prune\..*=None, not"),
        ({"rows": (Conv(16, kernel=3, stride=2), Pool())}, "rows="),
    ],
)
def test_other_settings_of_a_system_are_refused_by_their_name(student, changes, sentence):
    with pytest.raises(ConfigError, match=f"seed-1 was made with {sentence}.*: .* delete that folder to start it afr"):
        refuse_changes(replace(student, settings=replace(student.settings, **changes)))


def test_wherever_files_lie_and_however_many_work_it_is_the_same_system(student, tmp_path):
    (other := tmp_path / "moved.keras").write_bytes(b"one")
    settings = student.settings
    moved = replace(
        settings,
        recipe=replace(settings.recipe, workers=3),
        data=replace(settings.data, cache=tmp_path / "elsewhere"),
        origins=(other,),
    )
    refuse_changes(replace(student, settings=moved, origins=moved.origins))


@pytest.fixture
def base(write_systems, tmp_path):
    systems = read_systems(write_systems(tmp_path, {"name": "base", **NET}, seeds=[3]))
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


def test_an_error_that_is_a_bug_is_a_failure_that_keeps_its_traceback(base, here):
    job = replace(base, settings=replace(base.settings, input_size=None))  # which no reader of systems files lets pass
    outcome = run_jobs([job], [job], here)[job.folder]
    assert outcome.status == "failed"
    assert outcome.reason.startswith("TypeError: ") and str(job.folder / RESULT) in outcome.reason
    assert "prepare" in read_json(job.folder / RESULT)["traceback"]
