"""The whole comparison: systems read, models made, measured in one run, and the tables written."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerastrash.backends import fix_threads, limited_threads
from kerastrash.comparison.config import CompareConfig
from kerastrash.comparison.job import Job, check_unchanged
from kerastrash.comparison.measuring import PART, Measured, measure
from kerastrash.comparison.plan import chosen, plan
from kerastrash.comparison.rows import SeedRow, SystemRow
from kerastrash.comparison.scoring import reference_of, seed_rows, system_rows
from kerastrash.comparison.system import Systems
from kerastrash.comparison.systems_file import read_systems
from kerastrash.comparison.training import Results, Runner, run_jobs
from kerastrash.comparison.worker import run_in_process
from kerastrash.console import track
from kerastrash.data import prepare
from kerastrash.data.records import count_reasons
from kerastrash.errors import ConfigError
from kerastrash.reports.data_tables import print_summary
from kerastrash.runs import FREE_SETTINGS, environment, open_run
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.formula import Reference

DATA_FIELDS = ("data", "images", "categories", "cache")


@dataclass(frozen=True)
class Comparison:
    """All rows, the best system first, and what they were measured on."""

    folder: Path
    systems: Systems
    rows: tuple[SystemRow, ...]
    seed_rows: tuple[SeedRow, ...]
    config: CompareConfig
    environment: dict[str, Any]
    reference: Reference | None = None
    """What systems are scored against; None where nothing could be measured of the baseline, or only trained."""
    conditions: str = ""
    """Runtime and device of the times."""
    splits: dict[str, int] = dataclasses.field(default_factory=dict)
    """Images of each side; empty where nothing was measured."""
    timed_images: int = 0
    classes: tuple[str, ...] = ()
    left_out: str = ""
    """What of the data could not be used."""

    @property
    def devices(self) -> list[str]:
        """What the models were trained on."""
        return list(dict.fromkeys(row.device for row in self.seed_rows if row.device))

    @property
    def failed(self) -> bool:
        """Whether a system, or a seed of one, has failed or was skipped."""
        return any(row.status in ("failed", "skipped") for row in self.seed_rows)


def compare(config: CompareConfig, run: Runner = run_in_process) -> Comparison:
    """Makes the models that are not there yet, and measures all; the same call after a kill goes on where it stopped.

    Everything lies in runs/NAME: each model with what it was made from in systems/SYSTEM/seed-N.

    Args:
        run: makes a model and stores what came of it.

    Raises:
        KerastrashError: bad settings, systems or data, or a folder that was made with others.
    """
    fix_threads(config.threads)
    systems = systems_of(config)
    jobs = plan(systems, config.folder)
    wanted = chosen(jobs, config.only)
    rows = {system.name: system.rows for system in systems.systems}
    for job in jobs:
        check_unchanged(job, rows[job.system])
    surroundings = environment()
    with open_run(config.folder, systems.data, free=FREE_SETTINGS):
        _prepare(systems)
        results = run_jobs(jobs, wanted, rows, run)
        measured = None if config.train_only else _measure(jobs, results, config, systems)
        return _comparison(systems, jobs, results, measured, config, surroundings)


def systems_of(config: CompareConfig) -> Systems:
    """The systems file, its data replaced by what the settings name.

    Raises:
        ConfigError: the file cannot be used, or names a baseline beside one in the settings.
    """
    systems = read_systems(config.systems)
    given = {name: getattr(config, name) for name in DATA_FIELDS if getattr(config, name) is not None}
    for name in ("baseline_net", "baseline_size", "baseline_f1", "reference"):
        default = CompareConfig.__dataclass_fields__[name].default
        if systems.baseline and getattr(config, name) != default:
            raise ConfigError(
                f"{name}={getattr(config, name)!r} contradicts baseline: {systems.baseline} in {config.systems}; "
                "leave out one of them"
            )
    return dataclasses.replace(systems, data=dataclasses.replace(systems.data, **given))


def _prepare(systems: Systems) -> None:
    """Decodes the data at all sizes that are known, so that what is wrong with it is said before any training."""
    sizes = sorted({system.input_size for system in systems.systems if system.input_size})
    datasets = [prepare(systems.data, size, track) for size in sizes]
    for dataset in datasets[:1]:
        print_summary(dataset)


def _measure(jobs: Sequence[Job], results: Results, config: CompareConfig, systems: Systems) -> Measured | None:
    finished = [job for job in jobs if results[job.folder].status == "finished"]
    if not finished:
        return None
    with limited_threads(config.threads):
        return measure(finished, results, resolve_runtime(config), systems.data, systems.baseline)


def _comparison(
    systems: Systems,
    jobs: Sequence[Job],
    results: Results,
    measured: Measured | None,
    config: CompareConfig,
    surroundings: dict[str, Any],
) -> Comparison:
    reference = reference_of(measured, jobs, config, systems.baseline)
    models = seed_rows(jobs, results, measured, reference)
    sizes = {job.system: results[job.folder].input_size or job.input_size for job in jobs}
    images = len(measured.dataset.part(PART)) if measured else 0
    baseline_ms = 1000 * reference.baseline_time / images if reference else None
    found = Comparison(
        folder=config.folder,
        systems=systems,
        rows=tuple(system_rows(systems.systems, models, sizes, baseline_ms)),
        seed_rows=tuple(models),
        config=config,
        environment=surroundings,
        reference=reference,
    )
    if not measured:
        return found
    dataset = measured.dataset
    return dataclasses.replace(
        found,
        conditions=measured.conditions(config.threads),
        splits={name: len(indices) for name, indices in dataset.splits.items()},
        timed_images=max((timing.images for timing in measured.timings.values()), default=0),
        classes=dataset.classes,
        left_out=count_reasons(dataset.left_out) if dataset.left_out else "",
    )
