"""Opens every file in a process of its own, times them in turns, and asks each for its answers."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerastrash.console import console, progress_bar, track
from kerastrash.data import Dataset, prepare, read_crop
from kerastrash.data.records import count_reasons
from kerastrash.export.formats import FormatName
from kerastrash.models.saved import image_size
from kerastrash.scoring.baseline import Baseline, open_baseline
from kerastrash.scoring.candidates import Baselines, Candidate, model_files, open_all
from kerastrash.scoring.clocks import Timing, seconds_in_turns, spread
from kerastrash.scoring.config import BenchmarkConfig
from kerastrash.scoring.evaluate import evaluate
from kerastrash.scoring.formula import score
from kerastrash.scoring.net_process import NetProcess
from kerastrash.scoring.report import check_classes

SPLIT = "test"
WARMUP, BATCH_WARMUP = 10, 3
"""Untimed calls at first, at batch 1 and above."""


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
            end = "" if batch == 1 else f"_batch_{batch}"
            values |= {f"{name}{end}": getattr(timing, name) for name in ("median_ms", "p90_ms", "p99_ms")}
            values[f"images_per_s{end}"] = timing.images_per_second
        return values


def benchmark_columns(batches: Sequence[int]) -> list[str]:
    """The columns of benchmark.csv in their order."""
    times = []
    for batch in sorted(batches):
        end = "" if batch == 1 else f"_batch_{batch}"
        times += [f"{name}{end}" for name in ("median_ms", "p90_ms", "p99_ms", "images_per_s")]
    names = [name for name in BenchmarkRow.__dataclass_fields__ if name != "timings"]
    before = names.index("file_mb")
    return [*names[:before], *times, *names[before:]]


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
    """What of the data could not be used."""


def run_benchmark(config: BenchmarkConfig) -> Benchmark:
    """Measures every file with every number of threads; one that fails has its reason in its row.

    Raises:
        DataError: the data cannot be used.
        ModelError: the baseline cannot be opened, or was made for other classes.
    """
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        candidates = _candidates(config, folder / "models")
        open_all(candidates, "opening", stack)
        datasets = _datasets(candidates, config)
        running = _running(candidates)
        if not running:
            rows = tuple(_row(candidate, None, None, 0) for candidate in candidates)
            return Benchmark(rows, config.data.data, 0, 0, config.timing.blocks, config.timing.baseline_net)
        dataset = next(iter(datasets.values()))
        baseline = open_baseline(config.timing, config.data, SPLIT, len(dataset.classes))
        baselines = Baselines(baseline.model, config.timing.baseline_net, running, folder / "baselines", stack)
        timed = _time_all(running, baselines, image_size(baseline.model), datasets, config)
        f1 = _classify(candidates, datasets)
        rows = tuple(_row(each, f1.get(_answers(each)), baselines.of(each), baseline.f1) for each in candidates)
        images, about = len(dataset.split(SPLIT)), _describe(config, baseline)
        left_out = count_reasons(dataset.left_out) if dataset.left_out else ""
        return Benchmark(rows, dataset.name, images, timed, config.timing.blocks, about, left_out)


def _candidates(config: BenchmarkConfig, folder: Path) -> list[Candidate]:
    return [
        Candidate(file, threads, backend)
        for file in model_files(config, folder)
        for backend in (config.backends if config.backends and file.format == "keras" else (None,))
        for threads in config.threads
    ]


def _running(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if not candidate.failure]


def _datasets(candidates: Sequence[Candidate], config: BenchmarkConfig) -> dict[int, Dataset]:
    """The data at every size that a net takes; nets for other classes fail."""
    running = _running(candidates)
    datasets = {
        size: prepare(config.data, size, track) for size in dict.fromkeys(each.process.input_size for each in running)
    }
    for each in running:
        facts = each.process.facts
        each.attempt(check_classes, facts.classes, facts.description, datasets[facts.input_size], each.file.model)
    return datasets


def _time_all(
    running: Sequence[Candidate],
    baselines: Baselines,
    baseline_size: int,
    datasets: Mapping[int, Dataset],
    config: BenchmarkConfig,
) -> int:
    """Times all nets at batch 1, the files at the other batches; returns the number of images."""
    parts = {size: dataset.split(SPLIT) for size, dataset in datasets.items()}
    part = next(iter(parts.values()))
    chosen = spread(len(part), config.timing.timed_images)
    console.print(f"timing {len(running)} rows on {len(chosen)} of {len(part)} images, in {config.timing.blocks} turns")
    pixels = {size: part.images[part.indices[chosen]] for size, part in parts.items()}
    small = np.stack([read_crop(part.crops[index], baseline_size) for index in chosen])
    images = {each: pixels[each.process.input_size] for each in running}
    _time({**dict.fromkeys(baselines.running, small), **images}, 1, config.timing.blocks)
    for batch in sorted(set(config.batches) - {1}):
        remaining = {each: images[each] for each in _running(running)}
        if remaining:
            _time(remaining, batch, config.timing.blocks)
    return len(chosen)


def _time(images: Mapping[Candidate, np.ndarray], batch: int, turns: int) -> None:
    clocks = {candidate: candidate.time_block for candidate in images}
    warmup = WARMUP if batch == 1 else BATCH_WARMUP
    with _still_bar(f"timing batch {batch}", len(images) * turns) as advance:
        seconds = seconds_in_turns(clocks, images, turns, warmup, batch, advance)
    for candidate, values in seconds.items():
        candidate.keep(batch, values)


@contextlib.contextmanager
def _still_bar(description: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar that is drawn when it advances, and not by a thread of its own while a clock runs."""
    bar = progress_bar()
    bar.live.auto_refresh = False
    with bar:
        task = bar.add_task(description, total=total, unit="blocks", note="")
        yield lambda: bar.update(task, advance=1, refresh=True)


def _classify(candidates: Sequence[Candidate], datasets: Mapping[int, Dataset]) -> dict[tuple, float]:
    """Macro F1 of every file and backend, whatever the threads: by the first of its processes that can."""
    found = {}
    for candidate in track(_running(candidates), "classifying", "files"):
        if _answers(candidate) not in found:
            f1 = candidate.attempt(_macro_f1, candidate.process, datasets[candidate.process.input_size])
            found |= {} if f1 is None else {_answers(candidate): f1}
    return found


def _macro_f1(process: NetProcess, dataset: Dataset) -> float:
    return evaluate(process, dataset.split(SPLIT)).macro_f1


def _answers(candidate: Candidate) -> tuple:
    """What candidates with the same answers have in common."""
    return candidate.file.path, candidate.backend


def _describe(config: BenchmarkConfig, baseline: Baseline) -> str:
    size = image_size(baseline.model)
    return f"{config.timing.baseline_net} at {size} px, F1 {baseline.f1:.4f} ({baseline.f1_source})"


def _row(candidate: Candidate, f1: float | None, baseline: Candidate | None, baseline_f1: float) -> BenchmarkRow:
    facts = candidate.process.facts if candidate.process else None
    time = candidate.timings[1].median_ms if 1 in candidate.timings else None
    baseline_ms = baseline.timings[1].median_ms if baseline else None
    known = None not in (f1, time, baseline_ms)
    return BenchmarkRow(
        model=str(candidate.file.model),
        format=candidate.file.format,
        threads=candidate.threads,
        runtime=facts.name if facts else "",
        device=facts.device if facts else "",
        weights=facts.description.precision if facts else "",
        input_size=facts.input_size if facts else None,
        timings=dict(candidate.timings),
        file_mb=_megabytes(candidate.file.bytes),
        start_mb=_megabytes(facts.bytes_before) if facts else None,
        peak_mb=_megabytes(candidate.peak_bytes),
        macro_f1=f1,
        baseline_runtime=baseline.process.name if baseline else "",
        baseline_ms=baseline_ms,
        score=score(f1, time, baseline_f1, baseline_ms) if known else None,
        reason=candidate.failure,
    )


def _megabytes(count: int | None) -> float | None:
    """Bytes in units of 10**6."""
    return None if count is None else count / 1e6
