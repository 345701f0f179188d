"""What is known of a pruned net: cost, accuracy and time before and after, and every layer's width."""

from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from kerastrash.compress.config import PruneSettings


@dataclass(frozen=True)
class NetFigures:
    """Of one net."""

    parameters: int
    macs: int
    val_f1: float
    """Macro F1 on the validation split, by which the epoch is chosen."""
    test_f1: float
    """Macro F1 on the test split, by which nothing is decided."""
    median_ms: float
    """An image in ONNX Runtime, batch 1, one thread; both nets timed in turns in one run."""
    p90_ms: float


@dataclass(frozen=True)
class Round:
    """One narrowing and its fine-tuning."""

    macs: int
    parameters: int
    epochs: int
    best_epoch: int
    val_f1: float
    """At the best epoch."""


@dataclass(frozen=True)
class PruneReport:
    """A pruned net beside the one it came from; the content of `prune.json`."""

    model: Path
    """The pruned net, best.keras in the run's folder."""
    source: str
    """The `.keras` file as it was named."""
    source_sha256: str
    classes: tuple[str, ...]
    input_size: int
    data: str
    data_fingerprint: str
    device: str
    """The processor on which both were timed."""
    before: NetFigures
    after: NetFigures
    rounds: tuple[Round, ...]
    widths: dict[str, tuple[int, int]]
    """By convolution and dense layer, in the order of the net: channels before and after."""
    settings: PruneSettings
    versions: dict[str, str]
    """Of the packages that made and timed it."""
    written: str
    """When: ISO 8601, UTC."""


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


COLUMNS = {
    "parameters": ("parameters", ",d"),
    "macs": ("MACs", ",d"),
    "val_f1": ("macro F1,\nvalidation", ".4f"),
    "test_f1": ("macro F1,\ntest", ".4f"),
    "median_ms": ("median\nms", ".3f"),
    "p90_ms": ("p90\nms", ".3f"),
}
"""By figure: its heading, and how it is written."""


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
