"""From systems to jobs: which models there are to be made, in which order."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kerastrash.comparison.job import Job
from kerastrash.comparison.system import System, Systems
from kerastrash.errors import ConfigError
from kerastrash.training.checkpoint import BEST

SYSTEMS = "systems"
"""The folder of all jobs inside a run."""


def plan(systems: Systems, folder: Path) -> tuple[Job, ...]:
    """All jobs, each after those that it is made from.

    The first seed of every system comes before the second of any, so that an unfinished comparison has all its rows.
    A seed is made from the same seed of its teachers, or from their first one where they do not have it.

    Args:
        folder: of the run; a job's is systems/NAME/seed-N in it.
    """
    by_name = {system.name: system for system in systems.systems}
    jobs = [
        _job(system, seed, by_name, systems, folder)
        for rank in range(max(len(system.seeds) for system in systems.systems))
        for system in systems.systems
        for seed in system.seeds[rank : rank + 1]
    ]
    return tuple(_after_origins({job.model: job for job in jobs}))


def chosen(jobs: Sequence[Job], only: Sequence[str] | None) -> list[Job]:
    """The jobs of the systems in `only`, and those that they are made from; all where it is None.

    Raises:
        ConfigError: there is no such system.
    """
    names = {job.system for job in jobs}
    for name in only or ():
        if name not in names:
            raise ConfigError(f"only={name!r} is no system; the systems are {', '.join(sorted(names))}")
    wanted: set[Path] = set()
    for job in reversed(jobs):
        if only is None or job.system in only or job.model in wanted:
            wanted |= {job.model, *job.origins}
    return [job for job in jobs if job.model in wanted]


def _job(system: System, seed: int, by_name: Mapping[str, System], systems: Systems, folder: Path) -> Job:
    origins = (
        origin if isinstance(origin, Path) else _model(by_name[origin], seed, folder) for origin in system.origins
    )
    return Job(
        system=system.name,
        kind=system.kind,
        folder=_folder(system, seed, folder),
        data=systems.data,
        recipe=dataclasses.replace(system.recipe, seed=seed),
        input_size=system.input_size,
        weights=system.weights,
        origins=tuple(origins),
        distill=system.distill,
        prune=system.prune,
    )


def _folder(system: System, seed: int, folder: Path) -> Path:
    return folder / SYSTEMS / system.name / f"seed-{seed}"


def _model(system: System, seed: int, folder: Path) -> Path:
    """Of the same seed, or of the first one where the system does not have it."""
    return _folder(system, seed if seed in system.seeds else system.seeds[0], folder) / BEST


def _after_origins(jobs: Mapping[Path, Job]) -> Iterator[Job]:
    """The jobs, by their models, in their order but for those that are needed earlier."""
    done: set[Path] = set()

    def with_origins(path: Path) -> Iterator[Job]:
        if path in jobs and path not in done:
            done.add(path)
            for origin in jobs[path].origins:
                yield from with_origins(origin)
            yield jobs[path]

    for path in jobs:
        yield from with_origins(path)
