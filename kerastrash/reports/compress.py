"""What pruning and quantising did: tables of the figures before and after, and a picture of the widths."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from kerastrash.compress.prune import PruneReport
from kerastrash.compress.quantise import QuantisationReport
from kerastrash.files import atomic_path

COLUMNS = {
    "parameters": ("parameters", ",d"),
    "macs": ("MACs", ",d"),
    "val_f1": ("macro F1,\nvalidation", ".4f"),
    "test_f1": ("macro F1,\ntest", ".4f"),
    "median_ms": ("median\nms", ".3f"),
    "p90_ms": ("p90\nms", ".3f"),
}
"""The heading of each figure of a pruned net, and how it is written."""


def prune_table(report: PruneReport) -> Table:
    """The net before and after, and the difference."""
    table = Table(title=escape(f"{report.model}: {report.data}"), caption=escape(_caption(report)))
    table.add_column("net")
    for heading, _ in COLUMNS.values():
        table.add_column(heading, justify="right")
    before, after = (asdict(figures) for figures in (report.before, report.after))
    for name, figures in (("before", before), ("after", after)):
        table.add_row(name, *(format(figures[column], form) for column, (_, form) in COLUMNS.items()))
    table.add_section()
    table.add_row("change", *(_change(column, before[column], after[column]) for column in COLUMNS))
    return table


def _change(column: str, before: float, after: float) -> str:
    """F1 in absolute terms, all else as a share."""
    return f"{after - before:+.4f}" if column.endswith("f1") else f"{after / before - 1:+.1%}"


def _caption(report: PruneReport) -> str:
    settings = report.settings
    share = f"{settings.target:.0%} of the {settings.measure.replace('macs', 'MACs')}"
    changed = sum(before != after for before, after in report.widths.values())
    return (
        f"to {f'{settings.milliseconds:g} ms' if settings.milliseconds else share} by {settings.criterion} in "
        f"{len(report.rounds)} rounds; {changed} of {len(report.widths)} layers are narrower; ms: ONNX Runtime, one "
        f"image, one thread, in turns, {report.device}"
    )


def draw_widths(widths: Mapping[str, tuple[int, int]], path: Path) -> None:
    """Draws a bar a layer, from top to bottom: its channels before, and over it those that are left."""
    heights = np.arange(len(widths))
    before, after = np.array(list(widths.values())).T
    figure = Figure(figsize=(7, 1.2 + 0.18 * len(widths)), layout="constrained")
    axes = figure.subplots()
    axes.barh(heights, before, color="lightgrey", label="before")
    axes.barh(heights, after, color="tab:blue", height=0.6, label="after")
    axes.set_yticks(heights, list(widths), fontsize=7)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set(xlabel="channels", title="Widths before and after pruning")
    axes.legend(loc="best")
    axes.grid(axis="x", alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def quantisation_table(report: QuantisationReport) -> Table:
    """The net in float32 and in int8, and the difference."""
    table = Table(
        title=escape(f"{report.file}: {report.runtime}, {report.data}"),
        caption=escape(
            f"{report.method}; {report.images} training images for the ranges; made for {report.settings.target}"
        ),
    )
    table.add_column("weights")
    for column in ("MB", "macro F1, validation", "macro F1, test"):
        table.add_column(column, justify="right")
    before, after = report.before, report.after
    for name, figures in (("float32", before), ("int8", after)):
        table.add_row(name, f"{figures.bytes / 1e6:.3f}", f"{figures.val_f1:.4f}", f"{figures.test_f1:.4f}")
    table.add_section()
    changes = (f"{after.val_f1 - before.val_f1:+.4f}", f"{after.test_f1 - before.test_f1:+.4f}")
    table.add_row("change", f"{after.bytes / before.bytes - 1:+.0%}", *changes)
    return table
