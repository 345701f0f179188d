"""What a benchmark says of one file with one number of threads, as a row of its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kerastrash.export.formats import FormatName
from kerastrash.scoring.clocks import Timing

MEGABYTE = 1e6


@dataclass(frozen=True)
class Row:
    """Figures that could not be measured are None, and `reason` says why."""

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
    """By batch."""
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


def columns(batches: Sequence[int]) -> list[str]:
    """The columns of benchmark.csv in their order."""
    times = []
    for batch in sorted(batches):
        end = "" if batch == 1 else f"_batch_{batch}"
        times += [f"{name}{end}" for name in ("median_ms", "p90_ms", "p99_ms", "images_per_s")]
    names = [name for name in Row.__dataclass_fields__ if name != "timings"]
    place = names.index("file_mb")
    return [*names[:place], *times, *names[place:]]


def megabytes(count: int | None) -> float | None:
    """Bytes in units of 10**6."""
    return None if count is None else count / MEGABYTE
