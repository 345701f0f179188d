"""A benchmark as a table for the terminal and as a picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from kerastrash.export.formats import FORMATS
from kerastrash.reports.pictures import Dot, draw_dots
from kerastrash.reports.tables import PlainTable, number
from kerastrash.scoring.benchmark import Benchmark, BenchmarkRow


def benchmark_tables(found: Benchmark) -> Iterator[RenderableType]:
    """The table, then a sentence for everything that failed."""
    batches = sorted({batch for row in found.rows for batch in row.timings} - {1})
    devices = ", ".join(dict.fromkeys(row.device for row in found.rows if row.device)) or "nothing could be opened"
    figures = ("threads", "median\nms", "p90\nms", "p99\nms", *(f"images/s\nat {batch}" for batch in batches))
    yield PlainTable(
        ("model", "runtime", *figures, "file\nMB", "memory\nMB", "F1", "baseline\nms", "score"),
        [_cells(row, batches) for row in found.rows],
        text=("model", "runtime"),
        title=f"{found.data}: {devices}",
        caption=_caption(found),
        styles={index: "red" for index, row in enumerate(found.rows) if row.reason},
    )
    if found.left_out:
        yield Text(f"entries of the data that were left out: {found.left_out}")
    failures = dict.fromkeys((f"{row.model} ({_runtime(row)})", row.reason) for row in found.rows if row.reason)
    for name, reason in failures:
        yield Text.assemble(("failed:", "red"), f" {name}: {reason}")


def _cells(row: BenchmarkRow, batches: Sequence[int]) -> list[str]:
    one = row.timings.get(1)
    times = [number(value, ".2f", "-") for value in ((one.median_ms, one.p90_ms, one.p99_ms) if one else (None,) * 3)]
    rates = [f"{row.timings[batch].images_per_second:.1f}" if batch in row.timings else "-" for batch in batches]
    mark = "*" if _beside_another(row) else ""
    sizes = [number(row.file_mb, ".2f", "-"), number(row.peak_mb, ".0f", "-")]
    last = [
        number(row.macro_f1, ".4f", "-"),
        number(row.baseline_ms, ".2f", "-") + mark,
        number(row.score, ".4f", "-"),
    ]
    return [row.model, _runtime(row), str(row.threads), *times, *rates, *sizes, *last]


def _runtime(row: BenchmarkRow) -> str:
    name = row.runtime or (FORMATS[row.format].runtime if row.format else "no known format")
    return name if row.weights in ("", "float32") else f"{name}, {row.weights}"


def _beside_another(row: BenchmarkRow) -> bool:
    """Whether the baseline was timed in another runtime."""
    return row.baseline_runtime not in ("", row.runtime)


def _caption(found: Benchmark) -> str:
    start = max((row.start_mb for row in found.rows if row.start_mb), default=None)
    elsewhere = any(map(_beside_another, found.rows))
    return (
        f"ms: a call at batch 1, {found.timed_images} images in {found.turns} turns, one process at work at a time. "
        f"F1: macro, {found.images} test images. Memory: most that the process had resident when timed at batch 1, up "
        f"to {number(start, '.0f', '-')} of it before the file was opened. Score, lower is better: beside "
        f"{found.baseline}, timed in the same turns in the row's own runtime with as many threads"
        + ("; *: in ONNX Runtime, as it could not be had in the row's own." if elsewhere else ".")
    )


def draw_latency(rows: Sequence[BenchmarkRow], path: Path) -> bool:
    """Draws a dot for every row that has both an F1 and a time; False, and no file, where none has.

    Colour and shape tell the format, a label beside each dot its runtime and threads, and its model where there are
    several.
    """
    shown = [row for row in rows if row.macro_f1 is not None and 1 in row.timings]
    groups = [list(FORMATS).index(row.format) for row in shown]
    dots = [
        Dot(row.timings[1].median_ms, row.macro_f1, label, group)
        for row, label, group in zip(shown, _labels(shown), groups, strict=True)
    ]
    return draw_dots(path, dots, "F1 against latency")


def _labels(rows: Sequence[BenchmarkRow]) -> list[str]:
    several = len({row.model for row in rows}) > 1
    threads = len({row.threads for row in rows}) > 1
    labels = []
    for row in rows:
        words = [Path(row.model).stem] if several else []
        words.append(row.runtime if row.weights == "float32" else f"{row.runtime} {row.weights}")
        labels.append(", ".join(words + ([f"{row.threads} thr."] if threads else [])))
    return labels
