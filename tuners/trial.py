"""A trial is a job: `run_trial(settings, folder)` times and trains one net, with all of its state in its folder.

Who runs it, in which process and on which machine, is the engine's business. The time of an architecture is measured
once and kept: its runtime and a baseline's, in turns, on test crops. A measurement is reused by every search with the
same clock, data, device and versions, which makes a search repeatable to the bit. The baseline is timed in the runtime
and the dtype policy of the net, as in the score of the one that the search finds.
"""

import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from kerastrash.backends import device_description, fix_threads, limited_threads
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import Dataset, prepare
from kerastrash.export.formats import FORMATS
from kerastrash.files import copy_file, read_json, sha256, write_json
from kerastrash.jobs import Job, digest
from kerastrash.models import Rows, build_model, dump_rows, layers, macs, parameters
from kerastrash.scoring import reference_for
from kerastrash.scoring.baseline import BASELINE, INFERENCE, MODEL, measure_beside_baseline, opened_in_runtime
from kerastrash.scoring.config import ClockConfig
from kerastrash.training.checkpoint import BEST, LAST, METRICS
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe


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


def trial_job(settings: TrialSettings, dataset: Dataset, folder: Path) -> Job:
    """The job of the trial, on a data set that `settings.data` describes."""
    baseline = Path(settings.clock.baseline_net)
    origins = (baseline,) if baseline.is_file() else ()
    return Job(f"{__name__}:run_trial", settings, folder, training_inputs(dataset), origins)


def training_inputs(dataset: Dataset) -> dict[str, str]:
    """What a training depends on beside its settings: what was photographed, how it is divided, and versions."""
    crops = [(crop.key, crop.box, crop.label) for crop in dataset.crops]
    splits = {name: indices.tolist() for name, indices in dataset.splits.items()}
    photographs = digest((dataset.classes, crops, dataset.groups.tolist(), splits))
    packages = ("keras", keras.backend.backend(), "numpy", "pillow")
    return {"photographs": photographs, **{f"version of {name}": version(name) for name in packages}}


def run_trial(settings: TrialSettings, folder: Path) -> dict[str, Any]:
    """Times and trains the net, from where the trial or its parent stopped.

    Returns:
        Score and macro F1 on the validation split; median milliseconds an image at batch 1 (`time_ms`); seconds for the
        test split (`time_s`, `baseline_time_s`); parameters, macs, layers, epochs, and the seconds that it took.

    Raises:
        KerastrashError, or whatever went wrong: the job has failed.
    """
    started = time.perf_counter()
    rows, size, clock = settings.rows, settings.input_size, settings.clock
    fix_threads(clock.threads)
    dataset = prepare(settings.data, size)
    latency, classes = latency_of(settings, dataset), len(dataset.classes)
    if settings.parent and not (folder / LAST).exists():
        for name in (METRICS, BEST, LAST):  # the file that marks the copy as complete goes last
            copy_file(folder.parent / settings.parent / name, folder / name)
    build = partial(build_model, rows, size, classes)
    trained = train(build, dataset, settings.recipe, folder, settings.until, description=folder.name)
    images = len(dataset.split("test"))
    baseline_s = latency.baseline_ms * images / 1000
    reference = reference_for(clock.reference, baseline_s, latency.measured_as, latency.baseline_f1, latency.f1_source)
    time_s = latency.median_ms * images / 1000
    return {
        "score": reference.score(trained.f1, time_s),
        "f1": trained.f1,
        "time_ms": latency.median_ms,
        "time_s": time_s,
        "baseline_time_s": reference.baseline_time,
        "parameters": parameters(rows, classes),
        "macs": macs(rows, size, classes),
        "layers": layers(rows),
        "best_epoch": trained.best_epoch,
        "epochs": trained.epochs,
        "seconds": round(time.perf_counter() - started, 1),
    }


@dataclass(frozen=True)
class Latency:
    """Median milliseconds an image at batch 1, of a net and of the baseline beside it; the baseline's F1."""

    median_ms: float
    baseline_ms: float
    baseline_f1: float
    """A trained one's is measured on the val split."""
    f1_source: str
    measured_as: str


def latency_of(settings: TrialSettings, dataset: Dataset) -> Latency:
    """The stored latency of the architecture, or a new measurement, which is stored in `settings.latency_folder`.

    Args:
        dataset: at the net's input size.
    """
    clock, policy = settings.clock, settings.recipe.dtype_policy
    path = settings.latency_folder / f"{architecture_key(settings.rows, policy, dataset, clock)}.json"
    if path.exists():
        return Latency(**read_json(path))
    model = build_model(settings.rows, dataset.input_size, classes=len(dataset.classes))
    with limited_threads(clock.threads), tempfile.TemporaryDirectory(prefix="kerastrash-") as name:
        timed = opened_in_runtime(model, clock, Path(name) / MODEL, policy)
        beside = measure_beside_baseline(timed, dataset.split("test"), clock, settings.data, "val", Path(name))
    ms = {net: timing.median_ms for net, timing in beside.times[INFERENCE].items()}
    baseline = beside.baseline
    latency = Latency(ms[MODEL], ms[BASELINE], baseline.f1, baseline.f1_source, beside.measured_as)
    write_json(path, asdict(latency))
    return latency


def architecture_key(rows: Rows, dtype_policy: str, dataset: Dataset, clock: ClockConfig) -> str:
    """Names an architecture under a clock, on this device; weights and recipe do not matter for time."""
    baseline = Path(clock.baseline_net)
    data = (dataset.fingerprint, dataset.input_size, len(dataset.classes), dataset.splits["val"].tolist())
    return digest(
        {
            "net": (dump_rows(rows), dtype_policy),
            "clock": clock,
            "baseline": sha256(baseline) if baseline.is_file() else None,
            "device": device_description(),
            "backend": keras.backend.backend(),
            "versions": FORMATS[clock.runtime].versions(),
            "data": data,
        }
    )
