"""A job's folder: its result, its failures and attempts, and every change that is refused by its name."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kerastrash import jobs
from kerastrash.errors import ConfigError
from kerastrash.files import read_json
from kerastrash.jobs import JOB, LOG, RESULT, ChildProcesses, Job, changes, digest, refuse_changes, run, stored

MODULE = """
import os, signal, time
from kerastrash.errors import ModelError

def work(settings, folder):
    print("working", flush=True)
    (folder / "calls").open("a").write("x")
    if settings.what == "wait": time.sleep(120)
    if settings.what == "mistake": raise ModelError("no such [/net]; take another")
    if settings.what == "bug": return {}["key"]
    if settings.what == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if settings.what == "nan": return float("nan")
    if settings.what == "once" and (folder / "calls").stat().st_size == 1: raise MemoryError
    return {"sum": settings.inner.a + 1}
"""


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
def job(tmp_path, monkeypatch):
    (tmp_path / "some_job.py").write_text(MODULE)
    (tmp_path / "origin").write_text("one")
    monkeypatch.syspath_prepend(tmp_path)
    inputs = {"data": "abc", "rows": "conv " * 100}
    yield Job("some_job:work", Work(), tmp_path / "job", inputs, (tmp_path / "origin",))
    sys.modules.pop("some_job", None)


@pytest.fixture
def done(job, here) -> Job:
    assert run(job, here).finished
    return job


@pytest.fixture(params=["here", "child"])
def engine(request, here):
    return here if request.param == "here" else ChildProcesses(logged=True)


def doing(job: Job, what: str) -> Job:
    return replace(job, settings=Work(what))


def calls(job: Job) -> int:
    return (job.folder / "calls").stat().st_size


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
        ("once", "MemoryError"),
    ],
)
def test_a_failed_job_has_its_reason_and_is_tried_again_by_the_next_call(job, engine, what, reason):
    job = doing(job, what)
    result = run(job, engine)
    assert (result.status, result.value, result.attempts) == ("failed", None, 1)
    assert result.reason.startswith(reason)
    assert ("Traceback" in result.traceback) == (what != "mistake")
    assert stored(job) == result
    again = run(job, engine)
    assert (again.attempts, again.value) == (2, {"sum": 2} if what == "once" else None)
    assert calls(job) == 2


def test_a_process_that_dies_is_a_failure_with_its_signal_and_log(job, monkeypatch):
    job = doing(job, "kill")
    result = run(job, ChildProcesses(logged=True))
    assert result.reason == f"its process ended with signal 9 (out of memory?); see {job.folder / LOG}"
    assert stored(job) == result
    assert (job.folder / LOG).read_text() == "working\n"
    polls = []
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0)
    again = run(job, ChildProcesses(), lambda: polls.append(job))
    assert again.reason == "its process ended with signal 9 (out of memory?)" and polls


def test_an_interrupt_ends_the_process_and_leaves_the_job_to_be_done(job):
    engine = ChildProcesses(logged=True)

    def interrupt():
        if (job.folder / "calls").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(doing(job, "wait"), engine, interrupt)
    assert engine.wait(0) is None  # nothing runs any more
    assert stored(doing(job, "wait")) is None
    assert not (job.folder / RESULT).exists()


def test_several_jobs_run_at_once_and_each_can_be_cancelled(job):
    engine = ChildProcesses()
    slow = replace(doing(job, "wait"), folder=job.folder.parent / "slow")
    engine.submit(slow)
    engine.submit(job)
    ended, result = engine.wait()
    assert (ended, result.value) == (job, {"sum": 2})
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
        ({"inputs": {"data": "abc", "rows": "conv " * 99 + "pool"}}, r"rows=\.\.\..*conv ', not \.\.\..*conv pool'"),
        ({"inputs": {"rows": "conv " * 100}}, "data='abc', not None"),
        ({"origins": ()}, "origin 1='[0-9a-f]{59}"),
    ],
)
def test_a_stored_result_of_anything_else_is_refused_with_its_name(done, here, change, sentence):
    changed = replace(done, **change)
    for refused in (lambda: stored(changed), lambda: run(changed, here), lambda: refuse_changes(changed)):
        with pytest.raises(ConfigError, match=rf"job was made with {sentence}.*: .* delete that folder"):
            refused()
    assert calls(done) == 1
    assert run(done, here).finished


def test_an_origin_that_was_made_anew_is_named(done):
    done.origins[0].write_text("two")
    assert list(changes(done)) == ["origin 1"]
    refuse_changes(done, origins=False)
    with pytest.raises(ConfigError, match="made with origin 1="):
        stored(done)


def test_an_unfinished_job_of_anything_else_is_refused_too(job, here):
    run(doing(job, "mistake"), here)
    with pytest.raises(ConfigError, match="what='mistake', not 'work'"):
        run(job, here)


def test_where_files_lie_and_how_many_work_does_not_count(done):
    assert stored(replace(done, settings=Work(cache=Path("elsewhere"), inner=Inner(workers=7)))).finished


def test_a_setting_that_came_later_had_its_default(done):
    text = (done.folder / JOB).read_text()
    assert '"inner.a": 1,' in text
    (done.folder / JOB).write_text(text.replace('"inner.a": 1,', ""))
    assert stored(done).finished
    with pytest.raises(ConfigError, match=r"inner\.a=1, not 2"):
        stored(replace(done, settings=Work(inner=Inner(a=2))))


@pytest.mark.parametrize("name", [JOB, RESULT])
@pytest.mark.parametrize("text", ["{", "[1]", "3", "{}"])
def test_a_damaged_file_is_a_sentence(done, name, text):
    (done.folder / name).write_text(text)
    with pytest.raises(ConfigError, match=rf"{name}: cannot be read .* delete {done.folder}"):
        stored(done)


def test_a_digest_names_values(tmp_path):
    assert digest({"a": (1, 2), "b": tmp_path}) == digest({"b": str(tmp_path), "a": [1, 2]})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({"a": Inner()}) == "8c966f7243fe4bc4"  # as folders of searches are named that go on


def test_job_json_says_what_the_result_depends_on(done):
    written = read_json(done.folder / JOB)
    assert (written["function"], written["attempts"]) == ("some_job:work", 1)
    assert list(written["parts"]) == ["what", "numbers", "inner.a", "parts", "extra", "data", "rows", "origin 1"]
    assert written["parts"]["parts"] == [{"Inner": {"a": 1, "workers": 2}}]
