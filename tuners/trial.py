"""A trial is a job: `run_trial(settings, folder)` times and trains one net, with all of its state in its folder.

Who runs it, in which process and on which machine, is the engine's business.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kerastrash.backends import fix_threads
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import Dataset, prepare
from kerastrash.files import copy_file
from kerastrash.jobs import Job, digest, versions
from kerastrash.models import Rows, build_model, layers, macs, parameters
from kerastrash.scoring.config import ClockConfig
from kerastrash.training.checkpoint import BEST, LAST, METRICS
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe
from tuners.latency import latency_of


@dataclass(frozen=True)
class TrialSettings:
    """What is trained, and how it is timed."""

    rows: Rows
    recipe: Recipe
    input_size: int
    until: int
    """Epochs in total at the end of the trial."""
    data: DataConfig
    clock: ClockConfig
    """Its runtime not `auto`."""
    latency_folder: Path
    parent: str | None = None
    """Name of the folder, beside its own, of the trial that this one continues."""


def trial_job(settings: TrialSettings, dataset: Dataset, folder: Path, function: str = "run_trial") -> Job:
    """The job of the trial, or of another function below, on a data set that `settings.data` describes."""
    baseline = Path(settings.clock.baseline_net)
    origins = (baseline,) if baseline.is_file() else ()
    return Job(f"{__name__}:{function}", settings, folder, training_inputs(dataset), origins)


def training_inputs(dataset: Dataset) -> dict[str, str]:
    """What a training depends on beside its settings: what was photographed, how it is divided, and versions."""
    crops = [(crop.key, crop.box, crop.label) for crop in dataset.crops]
    splits = {name: indices.tolist() for name, indices in dataset.splits.items()}
    photographs = digest((dataset.classes, crops, dataset.groups.tolist(), splits))
    return {"photographs": photographs, **versions("keras", keras.backend.backend(), "numpy", "pillow")}


def run_trial(settings: TrialSettings, folder: Path) -> dict[str, Any]:
    """Times and trains the net, from where the trial or its parent stopped.

    Returns:
        Score and macro F1 on the validation split; median milliseconds an image at batch 1 (`time_ms`); seconds for the
        test split (`time_s`, `baseline_time_s`); parameters, macs, layers, epochs, and the seconds that it took.

    Raises:
        KerastrashError, or whatever went wrong: the job has failed.
    """
    started = time.perf_counter()
    fix_threads(settings.clock.threads)
    rows, size = settings.rows, settings.input_size
    dataset = prepare(settings.data, size)
    latency = latency_of(
        rows, settings.recipe.dtype_policy, dataset, settings.data, settings.clock, settings.latency_folder
    )
    if settings.parent:
        continue_from(folder.parent / settings.parent, folder)
    trained = train_trial(settings, folder, dataset)
    images, classes = len(dataset.split("test")), len(dataset.classes)
    reference = latency.reference(images, settings.clock)
    time_s = latency.median_ms * images / 1000
    return {
        "score": reference.score(trained["f1"], time_s),
        "f1": trained["f1"],
        "time_ms": latency.median_ms,
        "time_s": time_s,
        "baseline_time_s": reference.baseline_time,
        "parameters": parameters(rows, classes),
        "macs": macs(rows, size, classes),
        "layers": layers(rows),
        "best_epoch": trained["best_epoch"],
        "epochs": trained["epochs"],
        "seconds": round(time.perf_counter() - started, 1),
    }


def train_trial(settings: TrialSettings, folder: Path, dataset: Dataset | None = None) -> dict[str, Any]:
    """Trains the net alone; gives the macro F1 on the validation split of the net that is kept, and the epochs."""
    dataset = dataset or prepare(settings.data, settings.input_size)

    def build() -> keras.Model:
        return build_model(settings.rows, settings.input_size, classes=len(dataset.classes))

    trained = train(build, dataset, settings.recipe, folder, settings.until, description=folder.name)
    return {"f1": trained.f1, "best_epoch": trained.best_epoch, "epochs": trained.epochs}


def continue_from(parent: Path, folder: Path) -> None:
    """Copies the parent's training state, momentum and epoch included, unless the trial has one of its own."""
    if (folder / LAST).exists():
        return
    for name in (METRICS, BEST, LAST):  # the file that marks the copy as complete goes last
        copy_file(parent / name, folder / name)
