"""A trial is a function: `run_trial(TrialSpec) -> TrialResult`, with all of its state in its folder.

Who calls it, in which process and on which machine, is another file's business (`worker.py`).
"""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras

from kerastrash.backends import fix_threads
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import prepare
from kerastrash.files import copy_file, read_json, write_json, write_text
from kerastrash.models import build_model, dump_rows, layers, load_rows, macs, parameters
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig
from kerastrash.settings import from_dict, to_dict
from kerastrash.training.checkpoint import BEST, LAST, METRICS
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe
from tuners.latency import latency_of
from tuners.oracle import FAILED_SCORE

SPEC, ROWS, RESULT = "spec.json", "rows.yaml", "result.json"


@dataclass(frozen=True)
class TrialSpec:
    """Everything a trial depends on; the net's rows lie beside it in `rows.yaml`."""

    folder: Path
    data: DataConfig
    recipe: Recipe
    input_size: int
    until: int
    """Epochs in total at the end of the trial."""
    clock: ClockConfig
    latency_folder: Path
    parent: Path | None = None
    """Folder of the trial that this one continues."""


@dataclass(frozen=True)
class TrialResult:
    """What a trial gave; a failed one has the worst score and a reason."""

    status: Literal["finished", "failed"]
    score: float = FAILED_SCORE
    f1: float | None = None
    time_ms: float | None = None
    """Median milliseconds an image at batch 1."""
    time_s: float | None = None
    """Seconds for the test split at batch 1."""
    baseline_time_s: float | None = None
    parameters: int | None = None
    macs: int | None = None
    layers: int | None = None
    best_epoch: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    """How long the trial took."""
    reason: str = ""


def write_spec(spec: TrialSpec, rows) -> None:
    """Writes the spec and the rows into the trial's folder."""
    write_text(spec.folder / ROWS, dump_rows(rows))
    write_json(spec.folder / SPEC, to_dict(spec))


def read_spec(folder: Path) -> TrialSpec:
    """Reads the spec that `write_spec` wrote."""
    return from_dict(TrialSpec, read_json(folder / SPEC), folder / SPEC)


def read_result(folder: Path) -> TrialResult | None:
    """The trial's result, or None while it has not finished."""
    path = folder / RESULT
    return TrialResult(**read_json(path)) if path.exists() else None


def write_result(folder: Path, result: TrialResult) -> None:
    """Stores the result; from then on the trial counts as finished and never runs again."""
    write_json(folder / RESULT, dataclasses.asdict(result))


def run_trial(spec: TrialSpec) -> TrialResult:
    """Times and trains the net of the spec, from where the trial or its parent stopped.

    Raises:
        KerastrashError, or whatever went wrong: the caller turns it into a failed result.
    """
    started = time.perf_counter()
    fix_threads(spec.clock.threads)
    rows = load_rows(spec.folder / ROWS)
    dataset = prepare(spec.data, spec.input_size)
    keras.config.set_dtype_policy(spec.recipe.dtype_policy)

    def build() -> keras.Model:
        return build_model(rows, spec.input_size, classes=len(dataset.classes))

    clock = resolve_runtime(spec.clock)
    latency = latency_of(build(), rows, dataset, spec.data, clock, spec.latency_folder)
    continue_from(spec.parent, spec.folder)
    training = train(build, dataset, spec.recipe, spec.folder, spec.until, description=spec.folder.name)
    images = len(dataset.part("test").indices)
    reference = latency.reference(images, clock)
    time_s = latency.median_ms * images / 1000
    return TrialResult(
        status="finished",
        score=reference.score(training.f1, time_s),
        f1=training.f1,
        time_ms=latency.median_ms,
        time_s=time_s,
        baseline_time_s=reference.baseline_time,
        parameters=parameters(rows, len(dataset.classes)),
        macs=macs(rows, spec.input_size),
        layers=layers(rows),
        best_epoch=training.best_epoch,
        epochs=training.epochs,
        seconds=round(time.perf_counter() - started, 1),
    )


def continue_from(parent: Path | None, folder: Path) -> None:
    """Copies the parent's training state, momentum and epoch included, unless the trial has one of its own."""
    if parent is None or (folder / LAST).exists():
        return
    for name in (METRICS, BEST, LAST):  # the file that marks the copy as complete goes last
        copy_file(parent / name, folder / name)
