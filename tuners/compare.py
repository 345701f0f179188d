"""The whole comparison: systems read, models made, measured in one run, and the rows of its tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.markup import escape

from kerastrash.backends import fix_threads, limited_threads
from kerastrash.console import console, track
from kerastrash.data import Dataset, prepare
from kerastrash.data.records import count_reasons
from kerastrash.errors import ConfigError
from kerastrash.files import write_json
from kerastrash.jobs import ORIGIN, ChildProcesses, Engine, Job, JobResult, changes, refuse_changes, run, stored
from kerastrash.models.saved import image_size, open_model
from kerastrash.reports.comparison import Comparison
from kerastrash.reports.data import print_summary
from kerastrash.runs import ENVIRONMENT, environment, open_run
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig
from kerastrash.settings import to_dict
from tuners.config import CompareConfig
from tuners.measuring import SPLIT, Measured, measure, reference_of, seed_rows, system_rows
from tuners.system_jobs import Outcome, Outcomes, SystemJob, chosen, plan
from tuners.systems import Systems, read_systems
from tuners.trial import training_inputs

DATA_FIELDS = ("data", "images", "categories", "cache")


def compare(config: CompareConfig, engine: Engine | None = None) -> Comparison:
    """Makes the models that are not there yet, and measures all; the same call after a kill goes on where it stopped.

    Everything lies in runs/NAME: each model with what it was made from in systems/SYSTEM/seed-N.

    Args:
        engine: makes the models; left out, each in a process of its own.

    Raises:
        KerastrashError: bad settings, systems or data, or a folder that was made with others.
    """
    fix_threads(config.clock.threads)
    systems = systems_of(config)
    jobs = plan(systems, config.folder)
    wanted = chosen(jobs, config.only)
    surroundings = environment()
    with open_run(config.folder, systems.data):
        inputs = training_inputs(_prepare(systems))
        for job in jobs:
            refuse_changes(job.job(inputs), origins=False)
        outcomes = run_jobs(jobs, wanted, inputs, engine or ChildProcesses())
        measured = None if config.train_only else _measure(jobs, outcomes, config, systems)
        return _comparison(systems, jobs, outcomes, measured, config, surroundings)


def systems_of(config: CompareConfig) -> Systems:
    """The systems file, its data replaced by what the settings name.

    Raises:
        ConfigError: the file cannot be used, or names a baseline beside one in the settings.
    """
    systems = read_systems(config.systems)
    given = {name: getattr(config, name) for name in DATA_FIELDS if getattr(config, name) is not None}
    for name in ("baseline_net", "baseline_size", "baseline_f1", "reference"):
        value = getattr(config.clock, name)
        if systems.baseline and value != getattr(ClockConfig(), name):
            raise ConfigError(
                f"{name}={value!r} contradicts baseline: {systems.baseline} in {config.systems}; leave out one of them"
            )
    return dataclasses.replace(systems, data=dataclasses.replace(systems.data, **given))


def _prepare(systems: Systems) -> Dataset:
    """The data, decoded at all sizes that are known, so that what is wrong with it is said before any training."""
    sizes = {system.settings.input_size for system in systems.systems} - {None}
    if not sizes:  # all of them are saved nets that are pruned
        files = [origin for system in systems.systems for origin in system.origins if not isinstance(origin, str)]
        sizes = {image_size(open_model(files[0]))}
    datasets = [prepare(systems.data, size, track) for size in sorted(sizes)]
    print_summary(datasets[0])
    return datasets[0]


def run_jobs(
    jobs: Sequence[SystemJob], wanted: Sequence[SystemJob], inputs: Mapping[str, str], engine: Engine
) -> Outcomes:
    """Runs those of the wanted jobs that have not finished yet, one after the other, and says what came of all.

    A job that failed in an earlier call is tried again; one whose origin failed is skipped, and one that was made from
    other files than its origins are now has failed.

    Args:
        jobs: all, each after those that it is made from.
        wanted: some of them, origins included.
        inputs: what all of them depend on.
    """
    by_model = {job.model: job for job in jobs}
    progress = _Progress([job for job in wanted if not _earlier(job.job(inputs)).finished])
    outcomes: Outcomes = {}
    for job in jobs:
        outcomes[job.folder] = _earlier(job.job(inputs))  # after its origins, which may be new
        if job not in progress.waiting:
            continue
        progress.begin(job)
        obstacle = _obstacle([by_model[path] for path in job.settings.origins if path in by_model], outcomes)
        if obstacle:
            outcomes[job.folder] = Outcome("skipped", obstacle)
        elif not changes(job.job(inputs)):
            outcomes[job.folder] = _run(job.job(inputs), engine)
        progress.end(job, outcomes[job.folder])
    return outcomes


def _earlier(job: Job) -> Outcome:
    """What came of the job in an earlier call."""
    if any(name.startswith(ORIGIN) for name in changes(job)):
        anew = f"delete {job.folder} to make it afresh"
        return Outcome("failed", f"it was made from other files than its origins are now; {anew}")
    result = stored(job)
    return _outcome(result) if result else Outcome("not run", "not run yet")


def _run(job: Job, engine: Engine) -> Outcome:
    write_json(job.folder / ENVIRONMENT, environment())
    try:
        return _outcome(run(job, engine))
    finally:
        console.show_cursor()  # which the progress bar of a killed process has hidden


def _outcome(result: JobResult) -> Outcome:
    return Outcome(result.status, result.reason, result.value or {})


def _obstacle(origins: Sequence[SystemJob], outcomes: Outcomes) -> str:
    """Why a job cannot be made from its origins; empty where it can."""
    for origin in origins:
        outcome = outcomes[origin.folder]
        if not outcome.finished:
            return f"{origin} {outcome.status}: {outcome.reason}"
    return ""


class _Progress:
    """Says on the console which job begins, what came of it, and about how long the others will take."""

    def __init__(self, waiting: Sequence[SystemJob]) -> None:
        self.waiting, self._done = waiting, 0
        self._seconds: dict[str, float] = {}
        """Seconds of a job that has finished in this call, by system."""

    def begin(self, job: SystemJob) -> None:
        _say(f"[bold]{escape(str(job))}[/] ({job.settings.kind}), {self._done + 1} of {len(self.waiting)}")

    def end(self, job: SystemJob, outcome: Outcome) -> None:
        self._done += 1
        if outcome.finished:
            self._seconds[job.system.name] = outcome.made["seconds"]
            _say(f"{escape(str(job))}: F1 {outcome.made['f1']:.4f} on the validation split{self._left()}")
        else:
            _say(f"[red]{escape(str(job))} {outcome.status}:[/] {escape(outcome.reason)}")

    def _left(self) -> str:
        remaining = self.waiting[self._done :]
        if not remaining:
            return ""
        usual = fmean(self._seconds.values())
        seconds = sum(self._seconds.get(job.system.name, usual) for job in remaining)
        return f"; {len(remaining)} left, about {seconds / 60:.0f} min"


def _say(text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)


def _measure(jobs: Sequence[SystemJob], outcomes: Outcomes, config: CompareConfig, systems: Systems) -> Measured | None:
    finished = [job for job in jobs if outcomes[job.folder].finished]
    if not finished:
        return None
    with limited_threads(config.clock.threads):
        return measure(finished, outcomes, resolve_runtime(config.clock), systems.data, systems.baseline)


def _comparison(
    systems: Systems,
    jobs: Sequence[SystemJob],
    outcomes: Outcomes,
    measured: Measured | None,
    config: CompareConfig,
    surroundings: dict[str, Any],
) -> Comparison:
    reference = reference_of(measured, jobs, config.clock, systems.baseline)
    models = seed_rows(jobs, outcomes, measured, reference)
    sizes = {job.system.name: outcomes[job.folder].made.get("input_size") or job.settings.input_size for job in jobs}
    images = len(measured.dataset.split(SPLIT)) if measured else 0
    baseline_ms = 1000 * reference.baseline_time / images if reference else None
    found = Comparison(
        folder=config.folder,
        systems_file=systems.path,
        data=to_dict(systems.data),
        baseline=systems.baseline,
        settings=to_dict(config),
        environment=surroundings,
        rows=tuple(system_rows(systems.systems, models, sizes, baseline_ms)),
        seed_rows=tuple(models),
        reference=reference,
    )
    if not measured:
        return found
    dataset = measured.dataset
    return dataclasses.replace(
        found,
        conditions=measured.conditions(config.clock.threads),
        splits={name: len(indices) for name, indices in dataset.splits.items()},
        timed_images=max((timing.images for timing in measured.timings.values()), default=0),
        classes=dataset.classes,
        left_out=count_reasons(dataset.left_out) if dataset.left_out else "",
    )
