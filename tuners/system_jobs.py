"""A system with one seed is a job: its turn among the others, what its result depends on, how its model is made."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import keras

from kerastrash.backends import device_description, read_torch_state
from kerastrash.compress.costs import model_macs, model_parameters
from kerastrash.compress.distill import distill
from kerastrash.compress.prune import prune
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError
from kerastrash.jobs import Job
from kerastrash.models import build_model
from kerastrash.models.pretrained import pretrained_model
from kerastrash.models.saved import image_size, open_model
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.checkpoint import BEST
from kerastrash.training.fit import train
from tuners.systems import Kind, System, Systems, SystemSettings

SYSTEMS = "systems"
"""The folder of all jobs inside a run."""


@dataclass(frozen=True)
class Outcome:
    """What came of a system with one seed."""

    status: Literal["finished", "failed", "skipped", "not run"]
    reason: str = ""
    """Why it has not finished."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """What `make` returned, where it finished."""

    @property
    def finished(self) -> bool:
        """Whether there is a model."""
        return self.status == "finished"


Outcomes = dict[Path, Outcome]
"""Outcomes by the job's folder."""


@dataclass(frozen=True)
class SystemJob:
    """A system with one seed, in a folder of its own."""

    system: System
    folder: Path
    settings: SystemSettings

    @property
    def seed(self) -> int:
        """Seeds the training."""
        return self.settings.recipe.seed

    @property
    def model(self) -> Path:
        """The place of its model when it has finished."""
        return self.folder / BEST

    def job(self, inputs: Mapping[str, str]) -> Job:
        """The job; `inputs` are the `training_inputs` of its data."""
        return Job(f"{__name__}:make", self.settings, self.folder, inputs, self.settings.origins, str(self))

    def __str__(self) -> str:
        return f"{self.system.name}, seed {self.seed}"


def plan(systems: Systems, folder: Path) -> tuple[SystemJob, ...]:
    """All jobs, each after those that it is made from.

    The first seed of every system comes before the second of any, so that an unfinished comparison has all its rows.
    A seed is made from the same seed of its teachers, or from their first one where they do not have it.

    Args:
        folder: of the run; a job's is systems/NAME/seed-N in it.
    """
    by_name = {system.name: system for system in systems.systems}
    jobs = [
        _job(system, seed, by_name, systems.data, folder)
        for rank in range(max(len(system.seeds) for system in systems.systems))
        for system in systems.systems
        for seed in system.seeds[rank : rank + 1]
    ]
    return tuple(_after_origins({job.model: job for job in jobs}))


def chosen(jobs: Sequence[SystemJob], only: Sequence[str] | None) -> list[SystemJob]:
    """The jobs of the systems in `only`, and those that they are made from; all where it is None.

    Raises:
        ConfigError: there is no such system.
    """
    names = {job.system.name for job in jobs}
    for name in only or ():
        if name not in names:
            raise ConfigError(f"only={name!r} is no system; the systems are {', '.join(sorted(names))}")
    wanted: set[Path] = set()
    for job in reversed(jobs):
        if only is None or job.system.name in only or job.model in wanted:
            wanted |= {job.model, *job.settings.origins}
    return [job for job in jobs if job.model in wanted]


def _job(system: System, seed: int, by_name: Mapping[str, System], data: DataConfig, folder: Path) -> SystemJob:
    origins = tuple(
        origin if isinstance(origin, Path) else _folder(by_name[origin], seed, folder) / BEST
        for origin in system.origins
    )
    recipe = dataclasses.replace(system.settings.recipe, seed=seed)
    settings = dataclasses.replace(system.settings, recipe=recipe, data=data, origins=origins)
    return SystemJob(system, _folder(system, seed, folder), settings)


def _folder(system: System, seed: int, folder: Path) -> Path:
    """The folder of the seed, or of the first one where the system does not have it."""
    return folder / SYSTEMS / system.name / f"seed-{seed if seed in system.seeds else system.seeds[0]}"


def _after_origins(jobs: Mapping[Path, SystemJob]) -> Iterator[SystemJob]:
    """The jobs, by their models, in their order but for those that are needed earlier."""
    done: set[Path] = set()

    def with_origins(path: Path) -> Iterator[SystemJob]:
        if path in jobs and path not in done:
            done.add(path)
            for origin in jobs[path].settings.origins:
                yield from with_origins(origin)
            yield jobs[path]

    for path in jobs:
        yield from with_origins(path)


def make(settings: SystemSettings, folder: Path) -> dict[str, Any]:
    """Makes the model in the folder, from where an earlier attempt stopped.

    Returns:
        Macro F1 on the validation split; epochs trained; parameters as PyTorch counts them; macs; input_size in pixels;
        the seconds that this attempt took; the device that it was trained on.
    """
    started = time.perf_counter()
    epochs = MAKERS[settings.kind](settings, folder)
    model = open_model(folder / BEST)
    size = image_size(model)
    return {
        "f1": evaluate(model, prepare(settings.data, size).split("val")).macro_f1,
        "epochs": epochs,
        "parameters": model_parameters(model),
        "macs": model_macs(model),
        "input_size": size,
        "seconds": round(time.perf_counter() - started, 1),
        "device": device_description(),
    }


def _train(settings: SystemSettings, folder: Path) -> int:
    dataset = prepare(settings.data, settings.input_size)
    build = _builder(settings, len(dataset.classes))
    return train(build, dataset, settings.recipe, folder, description=_title(folder)).epochs


def _distill(settings: SystemSettings, folder: Path) -> int:
    size, recipe = settings.input_size, settings.recipe
    build = _builder(settings, len(prepare(settings.data, size).classes))
    taught = dataclasses.replace(settings.distill, teachers=settings.origins)
    return distill(build, settings.data, size, recipe, taught, folder, description=_title(folder)).epochs


def _prune(settings: SystemSettings, folder: Path) -> int:
    (origin,) = settings.origins
    report = prune(origin, settings.data, settings.recipe, settings.prune, folder)
    return sum(done.epochs for done in report.rounds)


def _builder(settings: SystemSettings, classes: int) -> Callable[[], keras.Model]:
    if settings.weights:
        return lambda: pretrained_model(settings.weights, settings.input_size, classes, read_state=read_torch_state)
    return lambda: build_model(settings.rows, settings.input_size, classes)


def _title(folder: Path) -> str:
    return f"{folder.parent.name}, {folder.name.replace('-', ' ')}"


MAKERS: Mapping[Kind, Callable[[SystemSettings, Path], int]] = MappingProxyType(
    {"trained": _train, "fine-tuned": _train, "distilled": _distill, "pruned": _prune}
)
"""Each leaves the model in the folder and returns the epochs that it was trained for."""
