"""From systems to jobs: their order, their seeds, and what they are made from."""

import pytest

from kerastrash.comparison.plan import chosen, plan
from kerastrash.comparison.systems_file import read_systems
from kerastrash.errors import ConfigError

NET = {"net": "tiny.yaml", "input_size": 16}


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
    return plan(read_systems(path), tmp_path / "run")


def test_first_seeds_come_first_and_every_job_after_its_origins(jobs):
    assert [(job.system, job.seed) for job in jobs] == [
        ("teacher", 7),
        ("base", 0),
        ("student", 0),
        ("base", 1),
        ("student", 1),
        ("narrow", 1),
        ("other", 2),
    ]


def test_a_seed_is_made_from_the_same_seed_or_from_the_first(jobs, tmp_path):
    student = next(job for job in jobs if (job.system, job.seed) == ("student", 1))
    folder = tmp_path / "run" / "systems"
    assert student.origins == (folder / "teacher/seed-7/best.keras", folder / "base/seed-1/best.keras")
    assert student.folder == folder / "student" / "seed-1"


def test_only_some_systems_are_chosen_with_all_that_they_are_made_from(jobs):
    assert chosen(jobs, None) == list(jobs)
    assert [str(job) for job in chosen(jobs, ("narrow",))] == [
        "teacher, seed 7",
        "base, seed 1",
        "student, seed 1",
        "narrow, seed 1",
    ]
    with pytest.raises(ConfigError, match="only='smal' is no system; the systems are base, narrow, other"):
        chosen(jobs, ("smal",))
