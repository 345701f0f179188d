"""What exporting, pruning and quantising did to a model: tables, and a picture of the pruned widths."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from kerastrash.compress.prune import PruneReport
from kerastrash.compress.quantise import QuantisationReport
from kerastrash.export.agreement import Attempt, ExportReport
from kerastrash.reports.pictures import picture
from kerastrash.reports.tables import PlainTable


def export_tables(attempts: Sequence[Attempt], title: str) -> Iterator[RenderableType]:
    """A table with a row a format, then a sentence for each that failed: why there is no file."""
    yield PlainTable(
        ("format", "file", "MB", "agreement", "difference", "relative", "batch", "runtime", "seconds"),
        [[attempt.format, *_cells(attempt.outcome), f"{attempt.seconds:.1f}"] for attempt in attempts],
        text=("file",),
        title=title,
        caption="agreement: images that get the same class as from the Keras model; difference: the largest of any "
        "output, and relative to the largest output.",
        styles={index: "red" for index, attempt in enumerate(attempts) if isinstance(attempt.outcome, Exception)},
    )
    for attempt in attempts:
        if isinstance(attempt.outcome, Exception):
            yield Text.assemble((f"{attempt.format}:", "bold red"), f" {attempt.outcome}")


def _cells(outcome: ExportReport | Exception) -> tuple[str, ...]:
    if isinstance(outcome, Exception):
        return ("failed, see below", *[""] * 6)
    agreement = outcome.agreement
    return (
        outcome.file,
        f"{outcome.bytes / 1e6:.2f}",
        f"{agreement.top1:.1%} of {agreement.images}",
        f"{agreement.difference:.1e}",
        f"{agreement.relative_difference:.1e}",
        ", ".join(map(str, agreement.batches)),
        outcome.runtime,
    )


COLUMNS = {
    "parameters": ("parameters", ",d"),
    "macs": ("MACs", ",d"),
    "val_f1": ("macro F1,\nvalidation", ".4f"),
    "test_f1": ("macro F1,\ntest", ".4f"),
    "median_ms": ("median\nms", ".3f"),
    "p90_ms": ("p90\nms", ".3f"),
}
"""The heading of each figure of a pruned net, and how it is written."""


def prune_table(report: PruneReport) -> PlainTable:
    """The net before and after, and the difference: of F1 in absolute terms, of all else as a share."""
    before, after = (asdict(figures) for figures in (report.before, report.after))
    rows = [
        [name, *(format(figures[column], form) for column, (_, form) in COLUMNS.items())]
        for name, figures in (("before", before), ("after", after))
    ]
    changes = (
        f"{new - old:+.4f}" if column.endswith("f1") else f"{new / old - 1:+.1%}"
        for column, old, new in ((column, before[column], after[column]) for column in COLUMNS)
    )
    rows.append(["change", *changes])
    columns = ("net", *(heading for heading, _ in COLUMNS.values()))
    settings = report.settings
    share = f"{settings.target:.0%} of the {settings.measure.replace('macs', 'MACs')}"
    changed = sum(old != new for old, new in report.widths.values())
    caption = (
        f"to {f'{settings.milliseconds:g} ms' if settings.milliseconds else share} by {settings.criterion} in "
        f"{len(report.rounds)} rounds; {changed} of {len(report.widths)} layers are narrower; ms: ONNX Runtime, one "
        f"image, one thread, in turns, {report.device}"
    )
    return PlainTable(columns, rows, title=f"{report.model}: {report.data}", caption=caption, summed=True)


def draw_widths(widths: Mapping[str, tuple[int, int]], path: Path) -> None:
    """Draws a bar a layer, from top to bottom: its channels before, and over it those that are left."""
    heights = np.arange(len(widths))
    before, after = np.array(list(widths.values())).T
    with picture(path, 7, 1.2 + 0.18 * len(widths)) as axes:
        axes.barh(heights, before, color="lightgrey", label="before")
        axes.barh(heights, after, color="tab:blue", height=0.6, label="after")
        axes.set_yticks(heights, list(widths), fontsize=7, parse_math=False)
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.set(xlabel="channels", title="Widths before and after pruning")
        axes.legend(loc="best")
        axes.grid(False, axis="y")


def quantisation_table(report: QuantisationReport) -> PlainTable:
    """The net in float32 and in int8, and the difference."""
    before, after = report.before, report.after
    rows = [
        [name, f"{figures.bytes / 1e6:.3f}", f"{figures.val_f1:.4f}", f"{figures.test_f1:.4f}"]
        for name, figures in (("float32", before), ("int8", after))
    ]
    changes = (f"{after.val_f1 - before.val_f1:+.4f}", f"{after.test_f1 - before.test_f1:+.4f}")
    rows.append(["change", f"{after.bytes / before.bytes - 1:+.0%}", *changes])
    columns = ("weights", "MB", "macro F1, validation", "macro F1, test")
    title = f"{report.file}: {report.runtime}, {report.data}"
    caption = f"{report.method}; {report.images} training images for the ranges; made for {report.settings.target}"
    return PlainTable(columns, rows, title=title, caption=caption, summed=True)
