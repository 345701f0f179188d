"""A job's folder: what it is made from survives, and a change of it is said."""

import json
from dataclasses import replace

import pytest

from kerastrash.comparison.job import (
    JOB,
    Job,
    Result,
    changed_origin,
    check_unchanged,
    read_job,
    read_result,
    write_job,
    write_result,
)
from kerastrash.compress.config import DistillSettings, PruneSettings
from kerastrash.data import DataConfig
from kerastrash.errors import ConfigError
from kerastrash.models.layers import Conv, Pool
from kerastrash.training.recipe import Recipe

ROWS = (Conv(8, kernel=3, stride=2), Pool())


@pytest.fixture
def job(tmp_path) -> Job:
    (tmp_path / "teacher.keras").write_bytes(b"one")
    folder, data = tmp_path / "student" / "seed-1", DataConfig(cache=tmp_path / "cache")
    recipe = Recipe(epochs=2, seed=1)
    origins = (tmp_path / "teacher.keras",)
    return Job("student", "distilled", folder, data, recipe, 16, None, origins, distill=DistillSettings(views=2))


@pytest.mark.parametrize("kind", ["distilled", "pruned"])
def test_a_job_survives_its_file(job, kind):
    if kind == "pruned":
        job = replace(job, kind=kind, input_size=None, distill=None, prune=PruneSettings(target=0.3))
    write_job(job, None)
    assert read_job(job.folder) == job


def test_a_result_survives_its_file(job):
    assert read_result(job.folder) is None
    result = Result("finished", f1=0.5, epochs=2)
    write_result(job.folder, result)
    assert read_result(job.folder) == result


def test_the_same_settings_may_go_on_wherever_files_lie_and_however_many_work(job, tmp_path):
    check_unchanged(job, ROWS)
    write_job(job, ROWS)
    check_unchanged(job, ROWS)
    moved = replace(job, data=DataConfig(cache=tmp_path / "elsewhere"), recipe=replace(job.recipe, workers=3))
    check_unchanged(moved, ROWS)


def test_a_setting_that_came_later_has_its_default(job):
    write_job(job, ROWS)
    earlier = json.loads((job.folder / JOB).read_text())
    del earlier["recipe"]["tau"], earlier["distill"]["hard_share"]
    (job.folder / JOB).write_text(json.dumps(earlier))
    check_unchanged(job, ROWS)
    with pytest.raises(ConfigError, match=r"made with tau=1\.0, not 2\.0"):
        check_unchanged(replace(job, recipe=replace(job.recipe, tau=2.0)), ROWS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"recipe": Recipe(epochs=3, seed=1)}, "made with epochs=2, not 3"),
        ({"input_size": 24}, "made with input_size=16, not 24"),
        ({"distill": DistillSettings(views=3)}, "made with views=2, not 3"),
        ({"kind": "trained"}, "made with kind='distilled', not 'trained'"),
    ],
)
def test_other_settings_are_named_with_the_way_out(job, changes, sentence):
    write_job(job, ROWS)
    with pytest.raises(ConfigError, match=f"seed-1 was {sentence}: .* delete that folder to start it afresh"):
        check_unchanged(replace(job, **changes), ROWS)


def test_other_rows_are_another_net(job):
    write_job(job, ROWS)
    with pytest.raises(ConfigError, match="made with net='other rows'"):
        check_unchanged(job, (Conv(16, kernel=3, stride=2), Pool()))


def test_an_origin_that_was_made_anew_is_noticed(job):
    assert changed_origin(job) == ""
    write_job(job, ROWS)
    assert changed_origin(job) == ""
    job.origins[0].write_bytes(b"another")
    assert f"delete {job.folder}" in changed_origin(job)


def test_a_damaged_job_is_a_sentence(job):
    write_job(job, ROWS)
    (job.folder / JOB).write_text('{"system": 3}')
    with pytest.raises(ConfigError, match=f"job.json: lacks kind; .* delete {job.folder}"):
        read_job(job.folder)
