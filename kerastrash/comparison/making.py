"""How the model of each kind of system is made."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

import keras

from kerastrash.backends import device_description
from kerastrash.comparison.job import ROWS, Job, Result
from kerastrash.comparison.system import Kind
from kerastrash.compress.costs import model_macs, model_parameters
from kerastrash.compress.distill import distill
from kerastrash.compress.prune import prune
from kerastrash.data import prepare
from kerastrash.models import build_model, load_rows
from kerastrash.models.pretrained import pretrained_model
from kerastrash.models.saved import image_size, open_model
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.fit import train


def make(job: Job) -> Result:
    """Makes the job's model, from where an earlier call stopped, and says what it is.

    Raises:
        KerastrashError, or whatever went wrong: the caller turns it into a failed result.
    """
    started = time.perf_counter()
    epochs = MAKERS[job.kind](job)
    model = open_model(job.model)
    size = image_size(model)
    return Result(
        status="finished",
        f1=evaluate(model, prepare(job.data, size).part("val")).macro_f1,
        epochs=epochs,
        parameters=model_parameters(model),
        macs=model_macs(model),
        input_size=size,
        seconds=round(time.perf_counter() - started, 1),
        device=device_description(),
    )


def _train(job: Job) -> int:
    dataset = prepare(job.data, job.input_size)
    build = _builder(job, len(dataset.classes))
    return train(build, dataset, job.recipe, job.folder, description=str(job)).epochs


def _distill(job: Job) -> int:
    build = _builder(job, len(prepare(job.data, job.input_size).classes))
    settings = dataclasses.replace(job.distill, teachers=job.origins)
    return distill(build, job.data, job.input_size, job.recipe, settings, job.folder, description=str(job)).epochs


def _prune(job: Job) -> int:
    (origin,) = job.origins
    report = prune(origin, job.data, job.recipe, job.prune, job.folder)
    return sum(done.epochs for done in report.rounds)


def _builder(job: Job, classes: int) -> Callable[[], keras.Model]:
    if job.weights:
        return lambda: pretrained_model(job.weights, job.input_size, classes)
    return lambda: build_model(load_rows(job.folder / ROWS), job.input_size, classes)


MAKERS: Mapping[Kind, Callable[[Job], int]] = MappingProxyType(
    {"trained": _train, "fine-tuned": _train, "distilled": _distill, "pruned": _prune}
)
"""Each leaves the model at `job.model` and returns the epochs that it was trained for."""
