"""A score report as tables for the terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from kerastrash.data.records import count_reasons
from kerastrash.export.open_net import conditions
from kerastrash.scoring.formula import MEASURED_ON, PUBLISHED_COLUMNS, PUBLISHED_ROWS
from kerastrash.scoring.report import ScoreReport


def score_tables(report: ScoreReport) -> Iterator[RenderableType]:
    """The report's tables and sentences in reading order: accuracy, clocks and scores, reference, published rows."""
    parameters = "-" if report.parameters is None else f"{report.parameters:,}"
    yield escape(
        f"{report.model}: {parameters} parameters, {report.input_size} px, "
        f"{report.images} images of {report.data} ({report.part})"
    )
    yield _accuracy(report)
    yield _clocks(report)
    for clock in report.clocks:
        yield escape(f"reference of the {clock.clock} clock: {clock.reference}")
    if report.left_out:
        yield escape(f"{len(report.left_out)} entries of the data were left out: {count_reasons(report.left_out)}")
    yield published_table()


def published_table() -> Table:
    """The contest's nine rows, marked as not comparable with times measured elsewhere."""
    table = Table(
        title="Published rows", caption=f"Measured on {MEASURED_ON}: not comparable with the times and F1 above."
    )
    for place, column in enumerate(PUBLISHED_COLUMNS):
        table.add_column(column, justify="left" if place < 2 else "right")
    for row in PUBLISHED_ROWS:
        table.add_row(*row.cells())
    return table


def _accuracy(report: ScoreReport) -> Table:
    table = Table()
    table.add_column("class")
    table.add_column("images", justify="right")
    table.add_column("F1", justify="right")
    confusion, class_f1 = report.evaluation.confusion, report.evaluation.class_f1
    for name, images, f1 in zip(report.classes, confusion.sum(axis=1), class_f1, strict=True):
        table.add_row(escape(name), str(images), f"{f1:.4f}")
    table.add_section()
    table.add_row("macro", str(confusion.sum()), f"{report.evaluation.macro_f1:.4f}", style="bold")
    return table


def _clocks(report: ScoreReport) -> Table:
    here = conditions(report.runtime, report.device, report.threads)
    timed = report.clocks[0].model.images
    table = Table(
        title=escape(f"Batch 1, {here}, {timed} images timed"),
        caption="total: the file opened, and for each image decode, pad, resize, inference. Lower scores are better.",
    )
    table.add_column("clock")
    table.add_column("net")
    for column in ("median ms", "p90 ms", "p99 ms", "open s", f"{report.images} images s", "score"):
        table.add_column(column, justify="right")
    for clock in report.clocks:
        model = (clock.model, clock.seconds, f"{clock.score:.4f}")
        baseline = (clock.baseline, clock.baseline_seconds, "")
        for net, (timing, seconds, score) in {"model": model, "baseline": baseline}.items():
            opened = f"{timing.load_s:.2f}" if timing.load_s else ""
            percentiles = (f"{value:.2f}" for value in (timing.median_ms, timing.p90_ms, timing.p99_ms))
            cells = (clock.clock, net, *percentiles, opened, f"{seconds:.2f}", score)
            table.add_row(*cells, style="bold" if net == "model" else None)
    return table
