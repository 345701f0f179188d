"""The time of an architecture, measured once and kept: its runtime and a baseline's, in turns, on test crops.

A measurement is reused by every search with the same clock, data, device and versions, which makes a search repeatable
to the bit. The baseline is timed in the runtime and the dtype policy of the net, as in the score of the one that the
search finds.
"""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from kerastrash.backends import device_description, limited_threads
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import Dataset
from kerastrash.export.formats import FORMATS
from kerastrash.export.writing import open_as
from kerastrash.files import read_json, sha256, write_json
from kerastrash.jobs import digest
from kerastrash.models import Rows, build_model, dump_rows
from kerastrash.scoring import Reference, reference_for
from kerastrash.scoring.baseline import (
    BASELINE,
    INFERENCE,
    MODEL,
    measure_beside_baseline,
    open_baseline,
    opened_in_runtime,
)
from kerastrash.scoring.config import ClockConfig


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
        dtype_policy: Keras's, in which the net is timed where Keras runs it.
        dataset: at the net's input size.
        clock: its runtime not `auto`.
    """
    path = folder / f"{architecture_key(rows, dtype_policy, dataset, clock)}.json"
    if path.exists():
        return Latency(**read_json(path))
    model = build_model(rows, dataset.input_size, classes=len(dataset.classes))
    latency = measure(model, dtype_policy, dataset, data, clock)
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


def measure(model: keras.Model, dtype_policy: str, dataset: Dataset, data: DataConfig, clock: ClockConfig) -> Latency:
    """Times the model in turns with the baseline net on test crops; a trained one has its F1 on the val split."""
    with limited_threads(clock.threads), tempfile.TemporaryDirectory(prefix="kerastrash-") as name:
        timed = opened_in_runtime(model, clock, Path(name) / MODEL, dtype_policy)
        beside = measure_beside_baseline(timed, dataset.split("test"), clock, data, "val", Path(name))
    times = beside.times[INFERENCE]
    median_ms = {net: timing.median_ms for net, timing in times.items()}
    return Latency(median_ms[MODEL], median_ms[BASELINE], beside.f1, beside.f1_source, beside.measured_as)


def check_clock(clock: ClockConfig, data: DataConfig, classes: int) -> None:
    """Raises now what would fail every trial: an unknown baseline, a missing extra of the runtime."""
    open_as(open_baseline(clock, data, "val", classes).model, clock.runtime, clock.threads)
