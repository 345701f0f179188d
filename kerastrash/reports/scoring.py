"""A score, a benchmark, and what adjusting a classifier to its classes' frequencies did: as tables and as pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from kerastrash.data.records import count_reasons
from kerastrash.export.format import conditions
from kerastrash.export.formats import FORMATS
from kerastrash.reports.pictures import COLOURS, Dot, draw_dots, picture
from kerastrash.reports.tables import PlainTable, number
from kerastrash.scoring import MEASURED_ON, PUBLISHED_ROWS
from kerastrash.scoring.benchmark import PERCENTILES, Benchmark, BenchmarkRow
from kerastrash.scoring.evaluate import SHARES, Adjustment
from kerastrash.scoring.opening import arithmetic
from kerastrash.scoring.report import ScoreReport


def score_tables(report: ScoreReport) -> Iterator[RenderableType]:
    """The report's tables and sentences in reading order: accuracy, clocks and scores, reference, published rows."""
    yield Text(
        f"{report.model}: {number(report.parameters, ',', '-')} parameters, {report.input_size} px, "
        f"{report.images} images of {report.data} ({report.split})"
    )
    yield accuracy_table(report)
    yield clock_table(report)
    for clock in report.clocks:
        yield Text(f"reference of the {clock.clock} clock: {clock.reference}")
    if report.left_out:
        yield Text(f"{len(report.left_out)} entries of the data were left out: {count_reasons(report.left_out)}")
    yield published_table()


def accuracy_table(report: ScoreReport) -> PlainTable:
    """Images and F1 of every class, and macro F1."""
    evaluation = report.evaluation
    counts = evaluation.confusion.sum(axis=1)
    figures = zip(report.classes, counts, evaluation.class_f1, strict=True)
    rows = [[name, str(images), f"{f1:.4f}"] for name, images, f1 in figures]
    rows.append(["macro", str(counts.sum()), f"{evaluation.macro_f1:.4f}"])
    styles = {len(rows) - 1: "bold"}
    return PlainTable(("class", "images", "F1"), rows, styles=styles, summed=True)


def confusion_table(report: ScoreReport) -> PlainTable:
    """Images of every class by the class that they were given."""
    rows = zip(report.classes, report.evaluation.confusion.tolist(), strict=True)
    return PlainTable(("class", *report.classes), [[name, *map(str, counts)] for name, counts in rows])


def clock_table(report: ScoreReport) -> PlainTable:
    """Both clocks' times of model and baseline, and the score by each."""
    rows = []
    for clock in report.clocks:
        model = ("model", clock.model, clock.seconds, f"{clock.score:.4f}")
        for net, timing, seconds, score in (model, ("baseline", clock.baseline, clock.baseline_seconds, "")):
            percentiles = (f"{getattr(timing, name):.2f}" for name in PERCENTILES)
            opened = f"{timing.load_s:.2f}" if timing.load_s else ""
            rows.append([clock.clock, net, *percentiles, opened, f"{seconds:.2f}", score])
    computed = arithmetic(report.dtype_policy, report.device)
    here = conditions(report.runtime, report.device, report.threads, computed)
    return PlainTable(
        ("clock", "net", "median ms", "p90 ms", "p99 ms", "open s", f"{report.images} images s", "score"),
        rows,
        text=("net",),
        title=f"Batch 1, {here}, {report.clocks[0].model.images} images timed",
        caption="total: the file opened, and for each image decode, pad, resize, inference. Lower scores are better.",
        styles={index: "bold" for index, row in enumerate(rows) if row[1] == "model"},
    )


def published_table() -> PlainTable:
    """The contest's nine rows, marked as not comparable with times measured elsewhere."""
    rows = [
        [row.name, row.net, number(row.input_size, "d"), number(row.epochs, "d")]
        + [f"{value:.4f}" for value in (row.score, row.f1, row.time)]
        for row in PUBLISHED_ROWS
    ]
    columns = ("row", "net", "input", "epochs", "score", "F1", "time s")
    caption = f"Measured on {MEASURED_ON}: not comparable with the times and F1 above."
    return PlainTable(columns, rows, ("net",), "Published rows", caption)


def adjustment_table(adjustment: Adjustment, title: str) -> PlainTable:
    """Precision, recall and F1 of each class on the test split, before and after."""
    both, figures = (SHARES.index(0), adjustment.chosen), []
    for evaluation in (adjustment.test[index] for index in both):
        right = np.diag(evaluation.confusion)
        named, there = (np.maximum(evaluation.confusion.sum(axis), 1) for axis in (0, 1))
        figures.append((right / named, right / there, evaluation.class_f1))
    rows = [
        [name, f"{frequency:.1%}", *(f"{value:.3f}" for value in values.ravel())]
        for name, frequency, values in zip(adjustment.classes, adjustment.frequencies, np.array(figures).T, strict=True)
    ]
    rows.append(["mean", *[""] * 5, *(f"{adjustment.test[index].macro_f1:.4f}" for index in both)])
    headings = (f"{name}\n{when}" for name in ("precision", "recall", "F1") for when in ("before", "after"))
    before, after = (adjustment.val[index].macro_f1 for index in both)
    change = f"from {before:.4f} to {after:.4f}" if adjustment.share else f"as it was, {before:.4f}"
    caption = (
        f"test split; {adjustment.share:+g} x log frequency added to each logit, chosen by macro F1 on the validation "
        f"split: {change}"
    )
    return PlainTable(("class", "training\nimages", *headings), rows, title=title, caption=caption, summed=True)


def adjustment_json(adjustment: Adjustment, **origin: Any) -> dict[str, Any]:
    """The content of `adjust.json`: where the model came from, what was tried and what was chosen."""
    tried = zip(SHARES, adjustment.val, adjustment.test, strict=True)
    confusions = {"before": adjustment.test[SHARES.index(0)], "after": adjustment.test[adjustment.chosen]}
    return {
        **origin,
        "share": adjustment.share,
        "frequencies": dict(zip(adjustment.classes, adjustment.frequencies, strict=True)),
        "tried": [{"share": share, "val_f1": val.macro_f1, "test_f1": test.macro_f1} for share, val, test in tried],
        "test_confusion": {name: each.confusion.tolist() for name, each in confusions.items()},
    }


def draw_adjustment(adjustment: Adjustment, path: Path) -> None:
    """Macro F1 of both splits by the share of the log frequencies, and the share that was chosen."""
    with picture(path, 7, 4) as axes:
        val, test = ([each.macro_f1 for each in evaluations] for evaluations in (adjustment.val, adjustment.test))
        axes.plot(SHARES, val, "o-", color=COLOURS[0], label="validation split, which decides")
        axes.plot(SHARES, test, "o-", color="lightgrey", label="test split")
        axes.axvline(adjustment.share, color=COLOURS[1], linestyle="--", label=f"chosen: {adjustment.share:+g}")
        axes.set(
            xlabel="share of log frequency added to a class's logit\n(left: towards rare classes, right: frequent)",
            ylabel="macro F1",
        )
        axes.legend(loc="best")


def benchmark_tables(found: Benchmark) -> Iterator[RenderableType]:
    """The table, then sentences: which dtype policy is faster, what was left out, and what failed."""
    batches = sorted({batch for row in found.rows for batch in row.timings} - {1})
    devices = ", ".join(dict.fromkeys(row.device for row in found.rows if row.device)) or "nothing could be opened"
    start = max((row.start_mb for row in found.rows if row.start_mb), default=None)
    elsewhere = any(map(_beside_another, found.rows))
    caption = (
        f"ms: a call at batch 1, {found.timed_images} images in {found.turns} turns, one process at work at a time. "
        f"F1: macro, {found.images} test images. Memory: most that the process had resident when timed at batch 1, up "
        f"to {number(start, '.0f', '-')} of it before the file was opened. Score, lower is better: beside "
        f"{found.baseline}, timed in the same turns in the row's own runtime with as many threads"
        + ("; *: in ONNX Runtime, as it could not be had in the row's own." if elsewhere else ".")
    )
    figures = ("threads", "median\nms", "p90\nms", "p99\nms", *(f"images/s\nat {batch}" for batch in batches))
    yield PlainTable(
        ("model", "runtime", *figures, "file\nMB", "memory\nMB", "F1", "baseline\nms", "score"),
        [_cells(row, batches) for row in found.rows],
        text=("runtime",),
        title=f"{found.data}: {devices}",
        caption=caption,
        styles={index: "red" for index, row in enumerate(found.rows) if row.reason},
    )
    yield from map(Text, _policies_compared(found.rows))
    if found.left_out:
        yield Text(f"entries of the data that were left out: {found.left_out}")
    failures = dict.fromkeys((f"{row.model} ({_runtime(row)})", row.reason) for row in found.rows if row.reason)
    for name, reason in failures:
        yield Text.assemble(("failed:", "red"), f" {name}: {reason}")


def _cells(row: BenchmarkRow, batches: Sequence[int]) -> list[str]:
    rates = [row.timings[batch].images_per_second if batch in row.timings else None for batch in batches]
    return [
        row.model,
        _runtime(row),
        str(row.threads),
        *(number(getattr(row.timings.get(1), name, None), ".2f", "-") for name in PERCENTILES),
        *(number(rate, ".1f", "-") for rate in rates),
        number(row.file_mb, ".2f", "-"),
        number(row.peak_mb, ".0f", "-"),
        number(row.macro_f1, ".4f", "-"),
        number(row.baseline_ms, ".2f", "-") + ("*" if _beside_another(row) else ""),
        number(row.score, ".4f", "-"),
    ]


def _runtime(row: BenchmarkRow) -> str:
    """Such as `onnxruntime, int8` and `keras-torch, mixed_float16`."""
    name = row.runtime or (FORMATS[row.format].runtime if row.format else "no known format")
    weights = row.weights if row.weights != "float32" else arithmetic(row.dtype_policy, row.device)
    return f"{name}, {weights}" if weights else name


def _policies_compared(rows: Sequence[BenchmarkRow]) -> Iterator[str]:
    """A sentence for each file that was timed in several dtype policies, by runtime and threads and for each batch."""
    groups: dict[tuple, list[BenchmarkRow]] = {}
    for row in rows:
        if 1 in row.timings:
            groups.setdefault((row.model, row.runtime, row.device, row.threads), []).append(row)
    for (model, *where), group in groups.items():
        if len({row.dtype_policy for row in group}) > 1:
            batches = sorted(set.intersection(*(set(row.timings) for row in group)))
            yield f"{model} ({conditions(*where)}): {'; '.join(_fastest(group, batch) for batch in batches)}"


def _fastest(rows: Sequence[BenchmarkRow], batch: int) -> str:
    """Such as `at batch 1 mixed_float16 is 1.80 times as fast as float32`."""
    first, *others = sorted(rows, key=lambda row: row.timings[batch].median_ms)
    least = first.timings[batch].median_ms
    name, *names = (arithmetic(row.dtype_policy, row.device) or row.dtype_policy for row in (first, *others))
    times = (row.timings[batch].median_ms / least for row in others)
    compared = (f"{time:.2f} times as fast as {other}" for time, other in zip(times, names, strict=True))
    return f"at batch {batch} {name} is {' and '.join(compared)}"


def _beside_another(row: BenchmarkRow) -> bool:
    """Whether the baseline was timed in another runtime."""
    return row.baseline_runtime not in ("", row.runtime)


def draw_latency(rows: Sequence[BenchmarkRow], path: Path) -> bool:
    """Draws a dot for every row that has both an F1 and a time; False, and no file, where none has.

    Colour and shape tell the format, a label beside each dot its runtime and threads, and its model where there are
    several.
    """
    shown = [row for row in rows if row.macro_f1 is not None and 1 in row.timings]
    several_models = len({row.model for row in shown}) > 1
    several_threads = len({row.threads for row in shown}) > 1
    dots = []
    for row in shown:
        words = [Path(row.model).stem] if several_models else []
        words.append(_runtime(row))
        words += [f"{row.threads} thr."] if several_threads else []
        group = list(FORMATS).index(row.format)
        dots.append(Dot(row.timings[1].median_ms, row.macro_f1, ", ".join(words), group))
    return draw_dots(path, dots, "F1 against latency")
