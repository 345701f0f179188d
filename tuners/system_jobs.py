"""A system with one seed is a job: its turn among the others, what its result depends on, how its model is made."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kerastrash.backends import device_description, read_torch_state
from kerastrash.compress.costs import model_macs, model_parameters
from kerastrash.compress.distill import distill
from kerastrash.compress.prune import prune
from kerastrash.data import prepare
from kerastrash.jobs import Job
from kerastrash.models import build_model
from kerastrash.models.pretrained import pretrained_model
from kerastrash.models.saved import image_size, open_model
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.checkpoint import BEST
from kerastrash.training.fit import train
from tuners.systems import System, Systems, SystemSettings


@dataclass(frozen=True)
class SystemJob(Job):
    """A system with one seed, in the folder systems/SYSTEM/seed-N of a run; its settings are SystemSettings."""

    @property
    def system(self) -> str:
        """The system's name."""
        return self.folder.parent.name

    @property
    def seed(self) -> int:
        """Seeds the training."""
        return self.settings.recipe.seed

    @property
    def model(self) -> Path:
        """The place of its model when it has finished."""
        return self.folder / BEST

    def __str__(self) -> str:
        return f"{self.system}, seed {self.seed}"


def plan(systems: Systems, folder: Path, inputs: Mapping[str, str]) -> tuple[SystemJob, ...]:
    """All jobs, each after those that it is made from.

    The first seed of every system comes before the second of any, so that an unfinished comparison has all its rows.
    A seed is made from the same seed of its teachers, or from their first one where they do not have it.

    Args:
        folder: of the run.
        inputs: the `training_inputs` of the data.
    """
    by_name = {system.name: system for system in systems.systems}
    jobs: dict[Path, SystemJob] = {}

    def add(system: System, seed: int) -> Path:
        """The place of the model of a system with a seed, whose job stands after those of its origins."""
        seed = seed if seed in system.seeds else system.seeds[0]
        place = folder / "systems" / system.name / f"seed-{seed}"
        if place / BEST not in jobs:
            origins = tuple(name if isinstance(name, Path) else add(by_name[name], seed) for name in system.origins)
            recipe = dataclasses.replace(system.settings.recipe, seed=seed)
            settings = dataclasses.replace(system.settings, recipe=recipe, data=systems.data, origins=origins)
            jobs[place / BEST] = SystemJob(f"{__name__}:make", settings, place, inputs, origins)
        return place / BEST

    for rank in range(max(len(system.seeds) for system in systems.systems)):
        for system in systems.systems:
            for seed in system.seeds[rank : rank + 1]:
                add(system, seed)
    return tuple(jobs.values())


def chosen(jobs: Sequence[SystemJob], only: Sequence[str] | None) -> list[SystemJob]:
    """The jobs of the systems in `only`, and those that they are made from; all where it is None."""
    wanted: set[Path] = set()
    for job in reversed(jobs):
        if only is None or job.system in only or job.model in wanted:
            wanted |= {job.model, *job.origins}
    return [job for job in jobs if job.model in wanted]


def make(settings: SystemSettings, folder: Path) -> dict[str, Any]:
    """Makes the model in the folder, from where an earlier attempt stopped.

    Returns:
        Macro F1 on the validation split; epochs trained; parameters as PyTorch counts them; macs; input_size in pixels;
        the seconds that this attempt took; the device that it was trained on.
    """
    started = time.perf_counter()
    epochs = _train(settings, folder)
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
    """Leaves the model in the folder and returns the epochs that it was trained for."""
    data, size, recipe = settings.data, settings.input_size, settings.recipe
    if settings.prune:
        (origin,) = settings.origins
        return sum(done.epochs for done in prune(origin, data, recipe, settings.prune, folder).rounds)
    dataset = prepare(data, size)
    classes = len(dataset.classes)

    def build() -> keras.Model:
        if settings.weights:
            return pretrained_model(settings.weights, size, classes, read_state=read_torch_state)
        return build_model(settings.rows, size, classes)

    title = f"{folder.parent.name}, {folder.name.replace('-', ' ')}"
    if settings.distill:
        taught = dataclasses.replace(settings.distill, teachers=settings.origins)
        return distill(build, data, size, recipe, taught, folder, description=title).epochs
    return train(build, dataset, recipe, folder, description=title).epochs
