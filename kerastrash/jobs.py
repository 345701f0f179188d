"""A job: a function, its settings, a folder that holds state and result, and all that the result depends on.

    job = Job("tuners.trial:run_trial", trial_settings, folder, inputs={"data": fingerprint}, origins=(teacher,))
    result = run(job, ChildProcesses())      # the stored result where it finished; else a new one, stored
    result.status, result.value              # "finished" and what the function gave, plain JSON
    result.status, result.reason             # "failed": tried again by the next call

The function is called with the settings and the folder, here or in another process, and goes on from what an attempt
before it left in the folder. Both must be importable there: nothing of the caller's main module. Where a folder holds
the job made of anything else (`changes`), it is refused with a ConfigError that says what changed. `begin`, `perform`
and `fail` are what an engine of another kind is made of.

job.json      the function, how often it was begun, and the parts that the result depends on
job.log       what its process printed, with `ChildProcesses(logged=True)`
result.json   written last
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import itertools
import json
import pkgutil
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from kerastrash.errors import ConfigError, FileError, KerastrashError
from kerastrash.files import read_json, sha256, write_json
from kerastrash.processes import Child, ChildError, ready, said
from kerastrash.runs import FREE_SETTINGS

Written = TypeVar("Written")
JOB, LOG, RESULT = "job.json", "job.log", "result.json"
FREE = frozenset({*FREE_SETTINGS, "origins"})
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
    title: str = ""
    """What people call it."""

    def __str__(self) -> str:
        return self.title or self.folder.name


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
    """Why it failed, in a sentence."""
    attempts: int = 1
    """How often it was begun until then, also where it was interrupted."""
    traceback: str = ""
    """The traceback of an error that is no KerastrashError."""

    @property
    def finished(self) -> bool:
        """Whether there is a value."""
        return self.status == "finished"


def versions(*packages: str) -> dict[str, str]:
    """The versions of packages, as inputs of a job."""
    return {f"version of {name}": importlib.metadata.version(name) for name in packages}


def digest(values: Any) -> str:
    """16 hexadecimal digits that name plain values: for a folder's name, or a key."""
    return hashlib.sha256(json.dumps(_plain(values), sort_keys=True).encode()).hexdigest()[:16]


def parts(job: Job) -> dict[str, Any]:
    """All that the job's result depends on, by names such as `recipe.epochs`, `data`, `origin 1`, as plain JSON."""
    found = {name: value for name, value, _ in _settings(job.settings)} | _plain(dict(job.inputs))
    return found | {f"{ORIGIN}{n}": sha256(path) for n, path in enumerate(job.origins, 1) if path.exists()}


def changes(job: Job) -> dict[str, tuple[Any, Any]]:
    """The parts that differ between what the folder was made with and the job, by name: (before, now).

    Empty where it was not begun. A setting that came later had its default before.

    Raises:
        ConfigError: job.json is damaged.
    """
    record = _read(job.folder / JOB, Record)
    if record is None:
        return {}
    before, now = record.parts, parts(job)
    for name, _, default in _settings(job.settings):
        if not any(name.startswith(f"{part}.") for part in record.parts):  # a part that was None came no later
            before = {name: default, **before}
    both = {**now, **before}
    return {name: (before.get(name), now.get(name)) for name in both if before.get(name) != now.get(name)}


def refuse_changes(job: Job, origins: bool = True) -> None:
    """Raises ConfigError, naming what changed, where the folder was made with anything else.

    Args:
        origins: they count too.
    """
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
    """Writes job.json and takes an earlier result away; returns the number of this attempt.

    Raises:
        ConfigError: as `stored` does.
    """
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
    except KerastrashError as error:
        return fail(job, said(error), attempt)
    except Exception as error:  # whatever it is, it is this job's failure and no other's
        return fail(job, said(error), attempt, traceback.format_exc())


def fail(job: Job, reason: str, attempt: int, trace: str = "") -> JobResult:
    """Stores that the job failed."""
    reason = f"{reason}; see {job.folder / RESULT}" if trace else reason
    result = JobResult("failed", reason=reason, attempts=attempt, traceback=trace)
    write_json(job.folder / RESULT, dataclasses.asdict(result))
    return result


class Engine(Protocol):
    """Whoever runs jobs."""

    def submit(self, job: Job) -> None:
        """Takes a job, which will run once; raises as `begin`."""

    def wait(self, seconds: float | None = None) -> tuple[Job, JobResult] | None:
        """A submitted job that has ended, and its result; None where none has in so many seconds, or none is left."""

    def cancel(self, job: Job) -> None:
        """Ends a submitted job without a result; it will not be waited for."""


class ThisProcess:
    """Runs jobs in this process, one after the other, while it is waited for them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Job, int]] = deque()

    def submit(self, job: Job) -> None:
        """See `Engine`."""
        self._waiting.append((job, begin(job)))

    def wait(self, seconds: float | None = None) -> tuple[Job, JobResult] | None:
        """See `Engine`; the job takes as long as it takes."""
        if not self._waiting:
            return None
        job, attempt = self._waiting.popleft()
        return job, perform(job, attempt)

    def cancel(self, job: Job) -> None:
        """See `Engine`."""
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not job)


class ChildProcesses:
    """Runs each job in a new process of its own, at once.

    Args:
        logged: what it prints goes to job.log instead of this process's standard error.
        environment: variables beside those of this process.
    """

    def __init__(self, logged: bool = False, environment: Mapping[str, str] | None = None) -> None:
        self._logged, self._environment = logged, environment
        self._running: dict[Child, tuple[Job, int]] = {}

    def submit(self, job: Job) -> None:
        """See `Engine`."""
        attempt = begin(job)
        child = Child(self._environment, log=job.folder / LOG if self._logged else None)
        self._running[child] = job, attempt
        child.send("call", "kerastrash.jobs:perform", job, attempt)

    def wait(self, seconds: float | None = None) -> tuple[Job, JobResult] | None:
        """See `Engine`."""
        for child in ready(list(self._running), seconds) if self._running else ():
            job, attempt = self._running.pop(child)
            with contextlib.closing(child):
                try:
                    return job, child.receive()
                except ChildError as error:
                    return job, fail(job, str(error), attempt, error.traceback)
        return None

    def cancel(self, job: Job) -> None:
        """See `Engine`."""
        for child in [child for child, (running, _) in self._running.items() if running is job]:
            del self._running[child]
            child.close()


def run(job: Job, engine: Engine, on_poll: Callable[[], object] = lambda: None) -> JobResult:
    """The stored result of a job that has finished; else the engine runs it. A failed one is tried again.

    An error or interrupt in this process ends the job without a result.

    Args:
        engine: with no other jobs.
        on_poll: called now and then while the job runs.

    Raises:
        ConfigError: the folder holds the job made with anything else.
    """
    earlier = stored(job)
    if earlier and earlier.finished:
        return earlier
    try:
        engine.submit(job)
        while (ended := engine.wait(POLL_SECONDS)) is None:
            on_poll()
    except BaseException:
        engine.cancel(job)
        raise
    return ended[1]


def _settings(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Name, plain value and plain default of every setting, at any depth, that a result depends on."""
    for each in dataclasses.fields(settings):
        name, value = prefix + each.name, getattr(settings, each.name)
        if each.name in FREE:
            continue
        if _is_dataclass(value):
            yield from _settings(value, f"{name}.")
        else:
            yield name, _plain(value), _plain(None if each.default is dataclasses.MISSING else each.default)


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _plain(value: Any) -> Any:
    """As JSON has it: paths as text, tuples as lists, the instance of a dataclass with its class."""
    if _is_dataclass(value):
        return {type(value).__name__: {name: _plain(each) for name, each in vars(value).items()}}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _short(value: Any, other: Any) -> str:
    """The value for a message; a long one from shortly before the first character that differs from the other's."""
    text = repr(value)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(text, repr(other), strict=False)))
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
