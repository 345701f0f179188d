"""A job: a function, its settings, a folder that holds state and result, and all that the result depends on.

    job = Job("tuners.trial:run_trial", trial_settings, folder, inputs={"data": fingerprint}, origins=(teacher,))
    result = run(job, ChildProcesses())      # the stored result where it finished; else a new one, stored
    result.status, result.value              # "finished" and what the function gave, plain JSON
    result.status, result.reason             # "failed": tried again by the next call

The function is called with the settings and the folder, and goes on from what an attempt before it left there. It must
be importable in another process: nothing of the caller's main module. Where a folder holds the job made of anything
else (`changes`), it is refused with a ConfigError that says what changed. `begin`, `perform` and `fail` are what an
engine of another kind is made of.

job.json      the function, how often it was begun, and the parts that the result depends on
job.log       what its process printed, with `ChildProcesses(logged=True)`
result.json   written last
"""

import dataclasses
import hashlib
import json
import os.path
import pkgutil
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from kerastrash.errors import ConfigError, FileError, KerastrashError
from kerastrash.files import read_json, sha256, write_json
from kerastrash.processes import Child, ChildError, said
from kerastrash.runs import FREE_SETTINGS
from kerastrash.settings import leaves, to_dict

Written = TypeVar("Written")
JOB, LOG, RESULT = "job.json", "job.log", "result.json"
FREE = FREE_SETTINGS | {"origins"}
"""Settings, at any depth, that say where files lie or who does the work: no result depends on them."""
ORIGIN = "origin "
"""The names of the parts that are files begin so."""
POLL_SECONDS = 0.2
SHOWN = 60
"""Characters of a value in a message."""


@dataclass(frozen=True)
class Job:
    """What is to be done, and all that the result depends on."""

    function: str
    """`module:function`, called with the settings and the folder; what it returns is the result's value."""
    settings: Any
    """A dataclass."""
    folder: Path
    """The folder of this job alone."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What else the result depends on, plain values by name: the data's fingerprint, versions."""
    origins: tuple[Path, ...] = ()
    """Files that it reads, such as the models it is made from; their content counts."""


@dataclass(frozen=True)
class Record:
    """What job.json says."""

    function: str
    attempts: int
    parts: dict[str, Any]


@dataclass(frozen=True)
class JobResult:
    """What came of a job."""

    status: Literal["finished", "failed", "skipped", "not run"]
    """The last two are never stored: a comparison says so of a job whose turn has not come."""
    value: Any = None
    """What a finished one gave: plain JSON."""
    reason: str = ""
    attempts: int = 1
    """How often it was begun until then, also where it was interrupted."""
    traceback: str = ""
    """The traceback of an error that is no KerastrashError."""

    @property
    def finished(self) -> bool:
        """Whether there is a value."""
        return self.status == "finished"


def digest(values: Any) -> str:
    """16 hexadecimal digits that name plain values: for a folder's name, or a key."""
    return hashlib.sha256(json.dumps(to_dict(values, named=True), sort_keys=True).encode()).hexdigest()[:16]


def parts(job: Job) -> dict[str, Any]:
    """All that the job's result depends on, by names such as `recipe.epochs`, `data`, `origin 1`, as plain JSON."""
    settings = {".".join(path): value for path, value, _ in leaves(job.settings, FREE)}
    found = to_dict({**settings, **job.inputs}, named=True)
    return found | {f"{ORIGIN}{n}": sha256(path) for n, path in enumerate(job.origins, 1) if path.exists()}


def changes(job: Job) -> dict[str, tuple[Any, Any]]:
    """The parts that differ between what the folder was made with and the job, by name: (before, now).

    Empty where it was not begun. A setting that came later had its default before. Raises as `stored`.
    """
    record = _read(job.folder / JOB, Record)
    if record is None:
        return {}
    before, now = record.parts, parts(job)
    for path, _, default in leaves(job.settings, FREE):
        name = ".".join(path)
        if not any(name.startswith(f"{part}.") for part in record.parts):  # a part that was None came no later
            before = {name: to_dict(default, named=True), **before}
    both = {**now, **before}
    return {name: (before.get(name), now.get(name)) for name in both if before.get(name) != now.get(name)}


def refuse_changes(job: Job, origins: bool = True) -> None:
    """Raises ConfigError, naming what changed, where the folder was made with anything else; `origins` count too."""
    for name, (before, now) in changes(job).items():
        if origins or not name.startswith(ORIGIN):
            raise ConfigError(
                f"{job.folder} was made with {name}={_short(before, now)}, not {_short(now, before)}: go back to that, "
                "take another name, or delete that folder to start it afresh"
            )


def stored(job: Job) -> JobResult | None:
    """What came of the job; None where it was never begun, or was interrupted.

    Raises:
        ConfigError: it was made with anything else than it would be now, or a file of it is damaged.
    """
    refuse_changes(job)
    return _read(job.folder / RESULT, JobResult)


def begin(job: Job) -> int:
    """Writes job.json and takes an earlier result away; returns the number of this attempt. Raises as `stored`."""
    refuse_changes(job)
    earlier = _read(job.folder / JOB, Record)
    attempt = earlier.attempts + 1 if earlier else 1
    write_json(job.folder / JOB, dataclasses.asdict(Record(job.function, attempt, parts(job))))
    (job.folder / RESULT).unlink(missing_ok=True)
    return attempt


def perform(job: Job, attempt: int) -> JobResult:
    """Does the job, which was begun, in this process, and stores what came of it, failed or not."""
    try:
        result = JobResult("finished", pkgutil.resolve_name(job.function)(job.settings, job.folder), attempts=attempt)
        write_json(job.folder / RESULT, dataclasses.asdict(result))
        return result
    except Exception as error:  # whatever it is, it is this job's failure and no other's
        return fail(job, error, attempt, "" if isinstance(error, KerastrashError) else traceback.format_exc())


def fail(job: Job, error: Exception, attempt: int, trace: str = "") -> JobResult:
    """Stores that the job failed."""
    reason = said(error) + (f"; see {job.folder / RESULT}" if trace else "")
    result = JobResult("failed", reason=reason, attempts=attempt, traceback=trace)
    write_json(job.folder / RESULT, dataclasses.asdict(result))
    return result


class Engine(Protocol):
    """Whoever runs jobs, such as `ChildProcesses`."""

    def submit(self, job: Job) -> None:
        """Takes a job, which will run once; raises as `begin`."""

    def wait(self, seconds: float | None = None) -> tuple[Job, JobResult] | None:
        """A submitted job that has ended, and its result; None where none has in so many seconds, or none is left."""

    def cancel(self, job: Job) -> None:
        """Ends a submitted job without a result; it will not be waited for."""


class ChildProcesses:
    """Runs each job at once in a new process; with `logged`, what that prints goes to job.log, not standard error."""

    def __init__(self, logged: bool = False) -> None:
        self._logged = logged
        self._running: dict[Child, tuple[Job, int]] = {}

    def submit(self, job: Job) -> None:
        attempt = begin(job)
        child = Child(log=job.folder / LOG if self._logged else None)
        self._running[child] = job, attempt
        child.send("kerastrash.jobs:perform", job, attempt)

    def wait(self, seconds: float | None = None) -> tuple[Job, JobResult] | None:
        for child in connection.wait(self._running, seconds) if self._running else ():
            job, attempt = self._running.pop(child)
            with child:
                try:
                    return job, child.receive()
                except ChildError as error:
                    return job, fail(job, error, attempt, error.traceback)
        return None

    def cancel(self, job: Job) -> None:
        for child in [child for child, (running, _) in self._running.items() if running is job]:
            del self._running[child]
            child.close()


def run(job: Job, engine: Engine, on_poll: Callable[[], object] = lambda: None) -> JobResult:
    """The stored result of a job that has finished; else the engine, with no other jobs, runs it, a failed one again.

    `on_poll` is called now and then while it runs. An error or interrupt in this process ends it without a result.

    Raises:
        ConfigError: the folder holds the job made with anything else.
    """
    if (earlier := stored(job)) and earlier.finished:
        return earlier
    try:
        engine.submit(job)
        while (ended := engine.wait(POLL_SECONDS)) is None:
            on_poll()
    except BaseException:
        engine.cancel(job)
        raise
    return ended[1]


def _short(value: Any, other: Any) -> str:
    """The value for a message; a long one from shortly before the first character that differs from the other's."""
    text = repr(value)
    same = len(os.path.commonprefix((text, repr(other))))  # noqa: RUF071  of characters is what is meant
    first = max(0, same - SHOWN // 2) if len(text) > SHOWN else 0
    return f"{'...' * (first > 0)}{text[first : first + SHOWN]}{'...' * (len(text) > first + SHOWN)}"


def _read(path: Path, kind: type[Written]) -> Written | None:
    """What was written in a file of a job; None where there is none."""
    if not path.exists():
        return None
    try:
        return kind(**read_json(path))
    except (FileError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); delete {path.parent} to start it afresh") from error
