"""A benchmark as a table for the terminal."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from kerastrash.export.formats import FORMATS
from kerastrash.scoring.benchmark import Benchmark, BenchmarkRow


def benchmark_tables(found: Benchmark) -> Iterator[RenderableType]:
    """The table, then a sentence for everything that failed."""
    batches = sorted({batch for row in found.rows for batch in row.timings} - {1})
    devices = ", ".join(dict.fromkeys(row.device for row in found.rows if row.device)) or "nothing could be opened"
    table = Table(
        title=escape(f"{found.data}: {devices}"), caption=escape(_caption(found)), box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("model", overflow="fold")
    table.add_column("runtime", overflow="fold", min_width=12)
    figures = ("threads", "median\nms", "p90\nms", "p99\nms", *(f"images/s\nat {batch}" for batch in batches))
    for name in (*figures, "file\nMB", "memory\nMB", "F1", "baseline\nms", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.rows:
        table.add_row(*map(escape, _cells(row, batches)), style="red" if row.reason else None)
    yield table
    if found.left_out:
        yield escape(f"entries of the data that were left out: {found.left_out}")
    failures = dict.fromkeys((f"{row.model} ({_runtime(row)})", row.reason) for row in found.rows if row.reason)
    for name, reason in failures:
        yield f"[red]failed:[/] {escape(name)}: {escape(reason)}"


def _cells(row: BenchmarkRow, batches: list[int]) -> list[str]:
    one = row.timings.get(1)
    times = [_number(value, 2) for value in ((one.median_ms, one.p90_ms, one.p99_ms) if one else (None,) * 3)]
    rates = [_number(row.timings[batch].images_per_second, 1) if batch in row.timings else "-" for batch in batches]
    mark = "" if row.baseline_runtime in ("", row.runtime) else "*"
    sizes = [_number(row.file_mb, 2), _number(row.peak_mb, 0)]
    last = [_number(row.macro_f1, 4), _number(row.baseline_ms, 2) + mark, _number(row.score, 4)]
    return [row.model, _runtime(row), str(row.threads), *times, *rates, *sizes, *last]


def _runtime(row: BenchmarkRow) -> str:
    name = row.runtime or (FORMATS[row.format].runtime if row.format else "no known format")
    return name if row.weights in ("", "float32") else f"{name}, {row.weights}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _caption(found: Benchmark) -> str:
    other = any(row.baseline_runtime not in ("", row.runtime) for row in found.rows)
    start = max((row.start_mb for row in found.rows if row.start_mb), default=None)
    return (
        f"ms: a call at batch 1, {found.timed_images} images in {found.turns} turns, one process at work at a time. "
        f"F1: macro, {found.images} test images. Memory: most that the process had resident when timed at batch 1, up "
        f"to {_number(start, 0)} of it before the file was opened. Score, lower is better: beside {found.baseline}, "
        "timed in the same turns in the row's own runtime with as many threads"
        + ("; *: in ONNX Runtime, as it could not be had in the row's own." if other else ".")
    )
