"""Opens every file in a process of its own, times them in turns, and asks each for its answers."""

import contextlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerastrash.console import console, progress_bar, track
from kerastrash.data import Dataset, prepare
from kerastrash.data.records import count_reasons
from kerastrash.export.formats import FORMATS, FormatName
from kerastrash.models.saved import image_size
from kerastrash.scoring import score
from kerastrash.scoring.baseline import baseline_of, open_baseline, open_baselines
from kerastrash.scoring.candidates import Candidate
from kerastrash.scoring.clocks import Timing, pixels_by_size, seconds_in_turns
from kerastrash.scoring.config import BenchmarkConfig
from kerastrash.scoring.evaluate import check_classes, evaluate
from kerastrash.scoring.opening import keras_accelerator
from kerastrash.scoring.preparing import candidates_of

SPLIT = "test"
WARMUP, BATCH_WARMUP = 10, 3
"""Untimed calls at first, at batch 1 and above."""
PERCENTILES = ("median_ms", "p90_ms", "p99_ms")


@dataclass(frozen=True)
class BenchmarkRow:
    """One file with one number of threads; figures that could not be measured are None, and `reason` says why."""

    model: str
    """The file as it was named."""
    format: FormatName | None
    threads: int
    runtime: str
    """Such as `onnxruntime`; empty where the file could not be opened."""
    device: str
    dtype_policy: str
    """Keras's; `float32` in every other runtime."""
    weights: str
    """`float32`, `float16` or `int8`."""
    input_size: int | None
    timings: dict[int, Timing]
    """Times by batch."""
    file_mb: float | None
    start_mb: float | None
    """Peak memory of the process before it opened the file."""
    peak_mb: float | None
    """The same when it had been timed at batch 1."""
    macro_f1: float | None
    baseline_runtime: str
    baseline_ms: float | None
    score: float | None
    reason: str
    """Empty where all went well."""

    def settings(self) -> dict[str, Any]:
        """The row as plain values, under the names of its columns."""
        values = {name: value for name, value in vars(self).items() if name != "timings"}
        for batch, timing in self.timings.items():
            figures = [*(getattr(timing, name) for name in PERCENTILES), timing.images_per_second]
            values |= zip(_time_columns(batch), figures, strict=True)
        return values


def benchmark_columns(batches: Sequence[int]) -> list[str]:
    """The columns of benchmark.csv in their order."""
    times = [name for batch in sorted(batches) for name in _time_columns(batch)]
    names = [name for name in BenchmarkRow.__dataclass_fields__ if name != "timings"]
    before = names.index("file_mb")
    return [*names[:before], *times, *names[before:]]


def _time_columns(batch: int) -> list[str]:
    return [name if batch == 1 else f"{name}_batch_{batch}" for name in (*PERCENTILES, "images_per_s")]


@dataclass(frozen=True)
class Benchmark:
    """All rows, and what they were measured on."""

    rows: tuple[BenchmarkRow, ...]
    data: str
    images: int
    """Size of the test split, by which F1 is taken."""
    timed_images: int
    turns: int
    baseline: str
    """Its net, image size, F1 and where that is from."""
    left_out: str = ""


def run_benchmark(config: BenchmarkConfig) -> Benchmark:
    """Measures every file with every number of threads; one that fails has its reason in its row.

    Raises:
        DataError: the data cannot be used.
        ModelError: the baseline cannot be opened, or was made for other classes.
    """
    timing = config.timing
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as name, contextlib.ExitStack() as stack:
        device = keras_accelerator()
        candidates = candidates_of(config, Path(name) / "models", device)
        for candidate in track(candidates, "opening", "processes"):
            candidate.open(stack, device)
        datasets = _datasets(candidates, config)
        running = _running(candidates)
        if not running:
            rows = tuple(_row(candidate, None, None, 0) for candidate in candidates)
            return Benchmark(rows, config.data.data, 0, 0, timing.blocks, timing.baseline_net)
        dataset = next(iter(datasets.values()))
        baseline = open_baseline(timing, config.data, SPLIT, len(dataset.classes))
        beside = open_baselines(baseline.model, timing.baseline_net, running, Path(name) / "baselines", stack, device)
        timed = _time_all(running, _running(beside.values()), datasets, config)
        f1 = _classify(candidates, datasets)
        rows = tuple(
            _row(each, f1.get((each.path, each.backend)), baseline_of(each, beside), baseline.f1) for each in candidates
        )
    size = image_size(baseline.model)
    about = f"{timing.baseline_net} at {size} px, F1 {baseline.f1:.4f} ({baseline.f1_source})"
    left_out = count_reasons(dataset.left_out) if dataset.left_out else ""
    return Benchmark(rows, dataset.name, len(dataset.split(SPLIT)), timed, timing.blocks, about, left_out)


def _running(candidates: Iterable[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if not candidate.failure]


def _datasets(candidates: Sequence[Candidate], config: BenchmarkConfig) -> dict[int, Dataset]:
    """The data at every size that a net takes; nets for other classes fail."""
    running = _running(candidates)
    sizes = dict.fromkeys(each.net.input_size for each in running)
    datasets = {size: prepare(config.data, size, track) for size in sizes}
    for each in running:
        each.attempt(check_classes, each.net.classes, each.net.description, datasets[each.net.input_size], each.model)
    return datasets


def _time_all(
    running: list[Candidate], baselines: list[Candidate], datasets: Mapping[int, Dataset], config: BenchmarkConfig
) -> int:
    """Times all nets at batch 1, the files at the other batches; returns the number of images."""
    parts = {size: dataset.split(SPLIT) for size, dataset in datasets.items()}
    sizes = {each.net.input_size for each in (*baselines, *running)}
    pixels = pixels_by_size(parts, sizes, config.timing.timed_images)
    (part, *_), (images, *_), turns = parts.values(), pixels.values(), config.timing.blocks
    console.print(f"timing {len(running)} rows on {len(images)} of {len(part)} images, in {turns} turns")
    for batch in sorted(config.batches):
        if nets := [*baselines, *running] if batch == 1 else _running(running):
            _time({each: pixels[each.net.input_size] for each in nets}, batch, turns)
    return len(images)


def _time(images: Mapping[Candidate, np.ndarray], batch: int, turns: int) -> None:
    clocks = {candidate: candidate.time_block for candidate in images}
    warmup = WARMUP if batch == 1 else BATCH_WARMUP
    bar = progress_bar()
    bar.live.auto_refresh = False  # drawn when it advances, and not by a thread of its own while a clock runs
    with bar:
        task = bar.add_task(f"timing batch {batch}", total=len(images) * turns, unit="blocks", note="")
        advance = partial(bar.update, task, advance=1, refresh=True)
        seconds = seconds_in_turns(clocks, images, turns, warmup, batch, advance)
    for candidate, values in seconds.items():
        candidate.keep(batch, values)


def _classify(candidates: Sequence[Candidate], datasets: Mapping[int, Dataset]) -> dict[tuple, float]:
    """Macro F1 by file and backend, whatever the threads: by the first of its processes that can."""
    found = {}
    for each in track(_running(candidates), "classifying", "files"):
        if (each.path, each.backend) not in found:
            part = datasets[each.net.input_size].split(SPLIT)
            if evaluation := each.attempt(evaluate, each.net, part):
                found[each.path, each.backend] = evaluation.macro_f1
    return found


def _row(candidate: Candidate, f1: float | None, baseline: Candidate | None, baseline_f1: float) -> BenchmarkRow:
    net = candidate.net
    time = candidate.timings[1].median_ms if 1 in candidate.timings else None
    baseline_ms = baseline.timings[1].median_ms if baseline else None
    size = FORMATS[candidate.format].size(candidate.path) if candidate.path and candidate.path.exists() else None
    megabytes = {"file_mb": size, "start_mb": candidate.bytes_before, "peak_mb": candidate.peak_bytes}
    return BenchmarkRow(
        model=str(candidate.model),
        format=candidate.format,
        threads=candidate.threads,
        runtime=net.name if net else "",
        device=net.device if net else "",
        dtype_policy=candidate.dtype_policy,
        weights=net.description.precision if net else "",
        input_size=net.input_size if net else None,
        timings=dict(candidate.timings),
        **{name: None if count is None else count / 1e6 for name, count in megabytes.items()},
        macro_f1=f1,
        baseline_runtime=baseline.net.name if baseline else "",
        baseline_ms=baseline_ms,
        score=None if None in (f1, time, baseline_ms) else score(f1, time, baseline_f1, baseline_ms),
        reason=candidate.failure,
    )
