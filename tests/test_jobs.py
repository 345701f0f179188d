"""A job's folder: its result, its failures and attempts, and every change that is refused by its name."""

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kerastrash.errors import ConfigError
from kerastrash.files import read_json
from kerastrash.jobs import (
    JOB,
    LOG,
    RESULT,
    ChildProcesses,
    Job,
    ThisProcess,
    changes,
    digest,
    refuse_changes,
    run,
    stored,
)

MODULE = """
import os, signal, time
from kerastrash.errors import ModelError

def work(settings, folder):
    print("working")
    (folder / "calls").open("a").write("x")
    if settings.what == "wait": time.sleep(120)
    if settings.what == "mistake": raise ModelError("no such [/net]; take another")
    if settings.what == "bug": return {}["key"]
    if settings.what == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if settings.what == "nan": return float("nan")
    if settings.what == "once" and (folder / "calls").stat().st_size == 1: raise MemoryError
    return {"sum": settings.inner.a + 1}
"""
ENGINES = {"here": ThisProcess, "child": lambda: ChildProcesses(logged=True)}


@dataclass(frozen=True)
class Inner:
    a: int = 1
    workers: int = 2


@dataclass(frozen=True)
class Work:
    what: str = "work"
    cache: Path = Path("cache")
    numbers: tuple[int, ...] = (1, 2)
    inner: Inner = field(default_factory=Inner)
    parts: tuple[Inner, ...] = (Inner(),)
    extra: Inner | None = None


@pytest.fixture
def job(tmp_path, monkeypatch) -> Job:
    (tmp_path / "some_job.py").write_text(MODULE)
    (tmp_path / "origin").write_text("one")
    monkeypatch.syspath_prepend(tmp_path)
    inputs = {"data": "abc", "rows": "conv " * 100}
    return Job("some_job:work", Work(), tmp_path / "job", inputs, (tmp_path / "origin",), "a job")


@pytest.fixture(params=ENGINES)
def engine(request):
    return ENGINES[request.param]()


def doing(job: Job, what: str) -> Job:
    return dataclasses.replace(job, settings=dataclasses.replace(job.settings, what=what))


def calls(job: Job) -> int:
    return (job.folder / "calls").stat().st_size


@pytest.fixture(autouse=True)
def module_of_this_test():
    yield
    sys.modules.pop("some_job", None)


def test_a_finished_job_is_done_once(job, engine):
    assert stored(job) is None
    result = run(job, engine)
    assert (result.status, result.value, result.attempts) == ("finished", {"sum": 2}, 1)
    assert run(job, engine) == stored(job) == result
    assert calls(job) == 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("mistake", "no such [/net]; take another"),
        ("bug", "KeyError: 'key'"),
        ("nan", "ValueError: Out of range float values are not JSON compliant"),
    ],
)
def test_a_failed_job_has_its_reason_and_is_tried_again_by_the_next_call(job, engine, what, reason):
    job = doing(job, what)
    result = run(job, engine)
    assert (result.status, result.value, result.attempts) == ("failed", None, 1)
    assert result.reason.startswith(reason)
    assert ("Traceback" in result.traceback) == (what != "mistake")
    assert stored(job) == result
    assert run(job, engine).attempts == 2
    assert calls(job) == 2


def test_a_failure_that_passes_is_not_for_ever(job, engine):
    job = doing(job, "once")
    assert run(job, engine).reason.startswith("MemoryError")
    assert run(job, engine).value == {"sum": 2}


def test_a_process_that_dies_is_a_failure_with_its_signal_and_log(job):
    job = doing(job, "kill")
    result = run(job, ChildProcesses(logged=True))
    assert result.reason == f"its process ended with signal 9 (out of memory?); see {job.folder / LOG}"
    assert stored(job) == result
    assert run(job, ChildProcesses()).reason == "its process ended with signal 9 (out of memory?)"


def test_what_a_logged_job_prints_lies_in_its_log(job):
    run(job, ChildProcesses(logged=True))
    assert (job.folder / LOG).read_text() == "working\n"


def test_an_interrupt_ends_the_process_and_leaves_the_job_to_be_done(job):
    engine = ChildProcesses(logged=True)
    polls = []

    def interrupt():
        polls.append(1)
        if (job.folder / "calls").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(doing(job, "wait"), engine, interrupt)
    assert engine.wait(0) is None  # nothing runs any more
    assert stored(doing(job, "wait")) is None
    assert not (job.folder / RESULT).exists()


def test_several_jobs_run_at_once_and_each_can_be_cancelled(job):
    engine = ChildProcesses()
    slow = dataclasses.replace(doing(job, "wait"), folder=job.folder.parent / "slow")
    engine.submit(slow)
    engine.submit(job)
    done, result = engine.wait()
    assert (done, result.value) == (job, {"sum": 2})
    engine.cancel(slow)
    assert engine.wait() is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"settings": Work(inner=Inner(a=5))}, r"inner\.a=1, not 5"),
        ({"settings": Work(numbers=(1, 3))}, r"numbers=\[1, 2\], not \[1, 3\]"),
        ({"settings": Work(extra=Inner())}, "extra.*=None, not 1"),
        ({"settings": Work(parts=())}, r"parts=\[.*'Inner'.*, not \[\]"),
        ({"inputs": {"data": "def", "rows": "conv " * 100}}, "data='abc', not 'def'"),
        (
            {"inputs": {"data": "abc", "rows": "conv " * 99 + "pool"}},
            r"rows=\.\.\..*conv conv ', not \.\.\..*conv pool'",
        ),
        ({"inputs": {"rows": "conv " * 100}}, "data='abc', not None"),
        ({"origins": ()}, "origin 1='[0-9a-f]{59}"),
    ],
)
def test_a_stored_result_of_anything_else_is_refused_with_its_name(job, change, sentence):
    run(job, ThisProcess())
    changed = dataclasses.replace(job, **change)
    for refused in (lambda: stored(changed), lambda: run(changed, ThisProcess()), lambda: refuse_changes(changed)):
        with pytest.raises(ConfigError, match=rf"job was made with {sentence}.*: .* delete that folder"):
            refused()
    assert calls(job) == 1
    assert run(job, ThisProcess()).finished


def test_an_origin_that_was_made_anew_is_named(job):
    run(job, ThisProcess())
    job.origins[0].write_text("two")
    assert list(changes(job)) == ["origin 1"]
    refuse_changes(job, origins=False)
    with pytest.raises(ConfigError, match="made with origin 1="):
        stored(job)


def test_an_unfinished_job_of_anything_else_is_refused_too(job):
    run(doing(job, "mistake"), ThisProcess())
    with pytest.raises(ConfigError, match="what='mistake', not 'work'"):
        run(job, ThisProcess())


def test_where_files_lie_and_how_many_work_does_not_count(job):
    run(job, ThisProcess())
    moved = Work(cache=Path("elsewhere"), inner=Inner(workers=7))
    assert stored(dataclasses.replace(job, settings=moved, title="other")).finished


def test_a_setting_that_came_later_had_its_default(job):
    run(job, ThisProcess())
    text = (job.folder / JOB).read_text()
    assert '"inner.a": 1,' in text
    (job.folder / JOB).write_text(text.replace('"inner.a": 1,', ""))
    assert stored(job).finished
    with pytest.raises(ConfigError, match=r"inner\.a=1, not 2"):
        stored(dataclasses.replace(job, settings=Work(inner=Inner(a=2))))


@pytest.mark.parametrize("name", [JOB, RESULT])
@pytest.mark.parametrize("text", ["{", "[1]", "3", "{}"])
def test_a_damaged_file_is_a_sentence(job, name, text):
    run(job, ThisProcess())
    (job.folder / name).write_text(text)
    with pytest.raises(ConfigError, match=rf"{name}: cannot be read .* delete {job.folder}"):
        stored(job)


def test_a_digest_names_values(tmp_path):
    assert digest({"a": (1, 2), "b": tmp_path}) == digest({"b": str(tmp_path), "a": [1, 2]})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest({})) == 16


def test_job_json_says_what_the_result_depends_on(job):
    run(job, ThisProcess())
    written = read_json(job.folder / JOB)
    assert (written["function"], written["attempts"]) == ("some_job:work", 1)
    names = ["what", "numbers", "inner.a", "parts", "extra", "data", "rows", "origin 1"]
    assert list(written["parts"]) == names
