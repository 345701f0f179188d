"""What exporting, pruning and quantising did to a model: tables, and a picture of the pruned widths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from kerastrash.compress.prune import NetFigures, PruneReport
from kerastrash.compress.quantise import FileFigures, QuantisationReport
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


COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "bytes": ("MB", lambda count: f"{count / 1e6:.3f}"),
    "parameters": ("parameters", "{:,d}".format),
    "macs": ("MACs", "{:,d}".format),
    "val_f1": ("macro F1,\nvalidation", "{:.4f}".format),
    "test_f1": ("macro F1,\ntest", "{:.4f}".format),
    "median_ms": ("median\nms", "{:.3f}".format),
    "p90_ms": ("p90\nms", "{:.3f}".format),
}
"""The heading of each figure of a net or file, and how it is written."""


def _comparison(what: str, pair: Mapping[str, NetFigures | FileFigures], **options: str) -> PlainTable:
    """A row for each of a pair, and the difference: of F1 in absolute terms, of all else as a share."""
    before, after = map(vars, pair.values())
    rows = [[name, *(COLUMNS[column][1](value) for column, value in vars(one).items())] for name, one in pair.items()]
    changes = (
        f"{after[column] - old:+.4f}" if column.endswith("f1") else f"{after[column] / old - 1:+.1%}"
        for column, old in before.items()
    )
    headings = (COLUMNS[column][0] for column in before)
    return PlainTable((what, *headings), [*rows, ["change", *changes]], summed=True, **options)


def prune_table(report: PruneReport) -> PlainTable:
    """The net before and after pruning."""
    settings = report.settings
    share = f"{settings.target:.0%} of the {settings.measure.replace('macs', 'MACs')}"
    changed = sum(old != new for old, new in report.widths.values())
    caption = (
        f"to {f'{settings.milliseconds:g} ms' if settings.milliseconds else share} by {settings.criterion} in "
        f"{len(report.rounds)} rounds; {changed} of {len(report.widths)} layers are narrower; ms: ONNX Runtime, one "
        f"image, one thread, in turns, {report.device}"
    )
    nets = {"before": report.before, "after": report.after}
    return _comparison("net", nets, title=f"{report.model}: {report.data}", caption=caption)


def quantisation_table(report: QuantisationReport) -> PlainTable:
    """The net in float32 and in int8."""
    title = f"{report.file}: {report.runtime}, {report.data}"
    caption = f"{report.method}; {report.images} training images for the ranges; made for {report.settings.target}"
    return _comparison("weights", {"float32": report.before, "int8": report.after}, title=title, caption=caption)


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
