"""The whole comparison: systems read, models made, measured in one run, and the rows of its tables."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from rich.text import Text

from kerastrash.backends import fix_threads, limited_threads
from kerastrash.console import console, say, track
from kerastrash.data import Dataset, prepare
from kerastrash.data.config import laid_over
from kerastrash.data.records import count_reasons
from kerastrash.errors import ConfigError
from kerastrash.files import write_json
from kerastrash.jobs import ChildProcesses, Engine, JobResult, refuse_changes, run, stored
from kerastrash.models.saved import image_size, open_model
from kerastrash.reports.comparison import Comparison
from kerastrash.reports.data import print_summary
from kerastrash.reports.tables import ranked
from kerastrash.runs import ENVIRONMENT, environment, open_run
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig
from kerastrash.settings import to_dict
from tuners.config import CompareConfig
from tuners.measuring import Measured, measure, seed_row, system_rows
from tuners.system_jobs import SystemJob, chosen, plan
from tuners.systems import Systems, read_systems
from tuners.trial import training_inputs


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
    surroundings = environment()
    with open_run(config.folder, systems.data):
        dataset = _prepared(systems)
        print_summary(dataset)
        jobs = plan(systems, config.folder, training_inputs(dataset))
        for job in jobs:
            refuse_changes(job, origins=False)
        outcomes = run_jobs(jobs, chosen(jobs, config.only), engine or ChildProcesses())
        finished = [job for job in jobs if outcomes[job.folder].finished]
        measured = Measured()
        if finished and not config.train_only:
            with limited_threads(config.clock.threads):
                measured = measure(finished, outcomes, resolve_runtime(config.clock), systems)
    seed_rows = [seed_row(job, outcomes[job.folder], measured) for job in jobs]
    return Comparison(
        folder=config.folder,
        systems_file=config.systems,
        data=to_dict(systems.data),
        baseline=systems.baseline,
        settings=to_dict(config),
        environment=surroundings,
        rows=tuple(ranked(system_rows(systems.systems, seed_rows, measured))),
        seed_rows=tuple(seed_rows),
        reference=measured.reference,
        conditions=measured.conditions,
        splits={name: len(indices) for name, indices in dataset.splits.items()} if measured.images else {},
        timed_images=max((timing.images for timing in measured.timings.values()), default=0),
        classes=dataset.classes,
        left_out=count_reasons(dataset.left_out) if dataset.left_out else "",
    )


def _prepared(systems: Systems) -> Dataset:
    """The data at the smallest size; decoded at all that are known, so that a mistake in them is said at once."""
    sizes = {system.settings.input_size for system in systems.systems} - {None}
    if not sizes:  # all of them are saved nets that are pruned
        files = [origin for system in systems.systems for origin in system.origins if isinstance(origin, Path)]
        sizes = {image_size(open_model(files[0]))}
    dataset, *_ = [prepare(systems.data, size, track) for size in sorted(sizes)]
    return dataset


def systems_of(config: CompareConfig) -> Systems:
    """The systems file, its data replaced by what the settings name.

    Raises:
        ConfigError: the file cannot be used, has no system that `only` names, or has a baseline beside one in the
            settings.
    """
    file = read_systems(config.systems)
    names = {system.name for system in file.systems}
    for name in config.only or ():
        if name not in names:
            raise ConfigError(f"only={name!r} is no system; the systems are {', '.join(sorted(names))}")
    for name in ("baseline_net", "baseline_size", "baseline_f1", "reference"):
        value = getattr(config.clock, name)
        if file.baseline and value != getattr(ClockConfig(), name):
            raise ConfigError(
                f"{name}={value!r} contradicts baseline: {file.baseline} in {config.systems}; leave out one of them"
            )
    return dataclasses.replace(file, data=laid_over(file.data, config.data))


def run_jobs(jobs: Sequence[SystemJob], wanted: Sequence[SystemJob], engine: Engine) -> dict[Path, JobResult]:
    """Runs those of the wanted jobs that have not finished yet, one after the other; what came of all, by folder.

    A job that failed in an earlier call is tried again; one whose origin failed is skipped, and one that was made from
    other files than its origins are now has failed.

    Args:
        jobs: all, each after those that it is made from.
        wanted: some of them, origins included.
    """
    by_model = {job.model: job for job in jobs}
    waiting = [job for job in wanted if not _earlier(job).finished]
    seconds: dict[str, float] = {}
    """Seconds of a job that has finished in this call, by system."""
    outcomes: dict[Path, JobResult] = {}
    for job in jobs:
        if job not in waiting:
            outcomes[job.folder] = _earlier(job)
            continue
        place = waiting.index(job) + 1
        say(Text.assemble((str(job), "bold"), f" ({job.settings.kind}), {place} of {len(waiting)}"))
        origins = [by_model[path] for path in job.origins if path in by_model]
        came = _made(job, [(origin, outcomes[origin.folder]) for origin in origins], engine)
        if came.finished:
            seconds[job.system] = came.value["seconds"]
            left = [seconds.get(each.system, fmean(seconds.values())) for each in waiting[place:]]
            ahead = f"; {len(left)} left, about {sum(left) / 60:.0f} min" if left else ""
            say(f"{job}: F1 {came.value['f1']:.4f} on the validation split{ahead}")
        else:
            say(Text.assemble((f"{job} {came.status}:", "red"), f" {came.reason}"))
        outcomes[job.folder] = came
    return outcomes


def _earlier(job: SystemJob) -> JobResult:
    """What came of the job in an earlier call."""
    try:
        return stored(job) or JobResult("not run", reason="not run yet")
    except ConfigError as error:  # its settings were compared before: the files that it was made from are others now
        return JobResult("failed", reason=str(error))


def _made(job: SystemJob, origins: Sequence[tuple[SystemJob, JobResult]], engine: Engine) -> JobResult:
    """What comes of the job now."""
    for origin, came in origins:
        if not came.finished:
            return JobResult("skipped", reason=f"{origin} {came.status}: {came.reason}")
    try:
        refuse_changes(job)
        write_json(job.folder / ENVIRONMENT, environment())
        return run(job, engine)
    except ConfigError as error:  # as in `_earlier`
        return JobResult("failed", reason=str(error))
    finally:
        console.show_cursor()  # which the progress bar of a killed process has hidden
