"""The time of an architecture, measured once and kept: its runtime and a baseline's, in turns, on test crops.

A measurement is reused by every search with the same clock, data, device and versions, which makes a search repeatable
to the bit. The baseline is a float32 net, as in the score of the net that the search finds, whatever the trials train.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from kerastrash.backends import device_description, limited_threads
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import Dataset
from kerastrash.data.images import read_crop
from kerastrash.export.formats import FORMATS
from kerastrash.export.writing import open_as
from kerastrash.files import read_json, sha256, write_json
from kerastrash.jobs import digest
from kerastrash.models import Rows, build_model, dump_rows
from kerastrash.models.saved import image_size
from kerastrash.scoring.baseline import Baseline, measured_as, open_baseline
from kerastrash.scoring.clocks import inference_times, spread
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.formula import Reference, reference_for


@dataclass(frozen=True)
class Latency:
    """Median milliseconds an image at batch 1, of a net and of the baseline beside it; the baseline's F1."""

    median_ms: float
    baseline_ms: float
    baseline_f1: float
    f1_source: str
    measured_as: str

    def reference(self, images: int, clock: ClockConfig) -> Reference:
        """What a net is scored against on `images` images: this baseline, or the published constants."""
        time = self.baseline_ms * images / 1000
        return reference_for(clock.reference, time, self.measured_as, self.baseline_f1, self.f1_source)


def latency_of(
    rows: Rows, dtype_policy: str, dataset: Dataset, data: DataConfig, clock: ClockConfig, folder: Path
) -> Latency:
    """The stored latency of the architecture, or a new measurement, which is stored in `folder`.

    Args:
        dtype_policy: Keras's, in which the net is built.
        dataset: at the net's input size.
        clock: its runtime not `auto`.
    """
    path = folder / f"{architecture_key(rows, dtype_policy, dataset, clock)}.json"
    if path.exists():
        return Latency(**read_json(path))
    with built_in(dtype_policy):
        model = build_model(rows, dataset.input_size, classes=len(dataset.classes))
    latency = measure(model, dataset, data, clock)
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


def measure(model: keras.Model, dataset: Dataset, data: DataConfig, clock: ClockConfig) -> Latency:
    """Times the model in turns with the baseline net on test crops."""
    baseline = open_float32_baseline(clock, data, len(dataset.classes))
    size = image_size(baseline.model)
    part = dataset.part("test")
    chosen = spread(len(part), clock.timed_images)
    images = {
        "net": part.images[part.indices[chosen]],
        "baseline": np.stack([read_crop(part.crops[index], size) for index in chosen]),
    }
    with limited_threads(clock.threads):
        runtimes = {
            name: open_as(net, clock.runtime, clock.threads)
            for name, net in (("net", model), ("baseline", baseline.model))
        }
        timings = inference_times(runtimes, images, clock.blocks)
    times = timings["net"].median_ms, timings["baseline"].median_ms
    return Latency(*times, baseline.f1, baseline.f1_source, measured_as(clock, runtimes["baseline"]))


def check_clock(clock: ClockConfig, data: DataConfig, classes: int) -> None:
    """Raises now what would fail every trial: an unknown baseline, a missing extra of the runtime."""
    open_as(open_float32_baseline(clock, data, classes).model, clock.runtime, clock.threads)


def open_float32_baseline(clock: ClockConfig, data: DataConfig, classes: int) -> Baseline:
    """The baseline net in float32; a trained one with its F1 on the validation split."""
    with built_in("float32"):
        return open_baseline(clock, data, "val", classes)


@contextlib.contextmanager
def built_in(dtype_policy: str) -> Iterator[None]:
    """Builds nets in a dtype policy inside the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype_policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
