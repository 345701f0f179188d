"""The time of an architecture, measured once and kept: its runtime and a baseline's, in turns, on test crops.

A measurement is reused by every search with the same clock, data, device and versions, which makes a search repeatable
to the bit.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from kerastrash.backends import device_description, limited_threads
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import Dataset
from kerastrash.data.images import read_crop
from kerastrash.export.writing import open_as
from kerastrash.files import read_json, write_json
from kerastrash.models import dump_rows
from kerastrash.models.base import Rows
from kerastrash.models.saved import image_size
from kerastrash.scoring.baseline import measured_as, open_baseline
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
    model: keras.Model, rows: Rows, dataset: Dataset, data: DataConfig, clock: ClockConfig, folder: Path
) -> Latency:
    """The stored latency of the architecture, or a new measurement, which is stored in `folder`."""
    path = folder / f"{architecture_key(rows, dataset, clock)}.json"
    if path.exists():
        return Latency(**read_json(path))
    latency = measure(model, dataset, data, clock)
    write_json(path, asdict(latency))
    return latency


def architecture_key(rows: Rows, dataset: Dataset, clock: ClockConfig) -> str:
    """Names an architecture under a clock, its runtime not `auto`; weights and recipe do not matter for time."""
    place = (device_description(), keras.backend.backend(), keras.__version__)
    baseline = Path(clock.baseline_net)
    changed = baseline.stat().st_mtime_ns if baseline.is_file() else 0
    data = (dataset.fingerprint, dataset.input_size, dataset.splits["val"].tolist())
    return hashlib.sha256(repr((dump_rows(rows), clock, changed, place, data)).encode()).hexdigest()[:16]


def measure(model: keras.Model, dataset: Dataset, data: DataConfig, clock: ClockConfig) -> Latency:
    """Times the model in turns with the baseline net on test crops."""
    baseline = open_baseline(clock, data, "val", len(dataset.classes))
    size = image_size(baseline.model)
    part = dataset.part("test")
    chosen = spread(len(part), clock.timed_images)
    images = {
        "net": part.images[part.indices[chosen]],
        "baseline": np.stack([read_crop(part.crops[i], size) for i in chosen]),
    }
    with limited_threads(clock.threads):
        runtimes = {
            name: open_as(net, clock.runtime, clock.threads)
            for name, net in (("net", model), ("baseline", baseline.model))
        }
        timings = inference_times(runtimes, images, clock.turns)
    times = timings["net"].median_ms, timings["baseline"].median_ms
    return Latency(*times, baseline.f1, baseline.f1_source, measured_as(clock, runtimes["baseline"]))


def check_clock(clock: ClockConfig, data: DataConfig, classes: int) -> None:
    """Raises now what would fail every trial: an unknown baseline, a missing extra of the runtime."""
    open_as(open_baseline(clock, data, "val", classes).model, clock.runtime, clock.threads)
