"""The time of an architecture, measured once and kept: its runtime and a baseline's, in turns, on test crops.

A measurement file may be reused by another search on the same device, which makes that search repeatable to the bit.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from kerastrash.backends import limited_threads
from kerastrash.data.dataset import Dataset
from kerastrash.data.images import read_crop
from kerastrash.files import read_json, write_json
from kerastrash.models import build_model, dump_rows
from kerastrash.models.row import Rows
from kerastrash.scoring.clocks import inference_times
from kerastrash.scoring.config import ClockConfig
from kerastrash.scoring.runtimes import Runtime, keras_runtime, onnx_runtime


@dataclass(frozen=True)
class Latency:
    """Median milliseconds an image at batch 1, of a net and of the baseline beside it."""

    median_ms: float
    baseline_ms: float
    runtime: str
    device: str
    threads: int

    @property
    def ratio(self) -> float:
        """Time of the net over time of the baseline."""
        return self.median_ms / self.baseline_ms


def latency_of(model: keras.Model, rows: Rows, dataset: Dataset, clock: ClockConfig, folder: Path) -> Latency:
    """The stored latency of the architecture, or a new measurement, which is stored in `folder`."""
    path = folder / f"{architecture_key(rows, dataset.input_size, clock)}.json"
    if path.exists():
        return Latency(**read_json(path))
    latency = measure(model, dataset, clock)
    write_json(path, asdict(latency))
    return latency


def architecture_key(rows: Rows, input_size: int, clock: ClockConfig) -> str:
    """Names an architecture under a clock; weights and recipe do not matter for time."""
    text = f"{dump_rows(rows)}\n{input_size}\n{clock}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def measure(model: keras.Model, dataset: Dataset, clock: ClockConfig) -> Latency:
    """Times the model in turns with the baseline net on test crops."""
    baseline = build_model(clock.baseline_net, clock.baseline_size, classes=len(dataset.classes))
    part = dataset.part("test")
    chosen = np.linspace(0, len(part) - 1, min(clock.timed_images or len(part), len(part))).astype(int)
    images = {
        "net": part.images[part.indices[chosen]],
        "baseline": np.stack([read_crop(part.crops[i], clock.baseline_size) for i in chosen]),
    }
    with limited_threads(clock.threads):
        runtimes = {"net": open_model_in(model, clock), "baseline": open_model_in(baseline, clock)}
        timings = inference_times(runtimes, images, clock.turns)
    net = runtimes["net"]
    return Latency(timings["net"].median_ms, timings["baseline"].median_ms, net.name, net.device, clock.threads)


def open_model_in(model: keras.Model, clock: ClockConfig) -> Runtime:
    """Opens a model in the clock's runtime; raises ConfigError where its extra is missing."""
    return onnx_runtime(model, clock.threads) if clock.runtime == "onnx" else keras_runtime(model)
