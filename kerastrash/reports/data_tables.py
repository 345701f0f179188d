"""A data set on the terminal: what it holds and left out, and what a check of it found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from kerastrash.console import results
from kerastrash.data.checks import CheckReport, Finding, Severity
from kerastrash.data.counts import TINY, ClassCount, Histogram, summarise
from kerastrash.data.dataset import Dataset
from kerastrash.data.records import SPLITS

COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
NAMED = 2
"""Items named for each finding and reason; the page shows more, the JSON file all."""
NOTES = 4
"""Reasons named for each finding."""
BAR = 16
MISSING = 10
"""Missing photographs printed; the file names all."""


def print_summary(dataset: Dataset) -> None:
    """Prints what the data set holds, and what was left out of it, to standard output."""
    summary = summarise(dataset)
    tables = [_splits_table(summary), _sizes_table(summary)]
    if summary["left_out"]:
        tables.append(_left_out_table(summary["left_out"]))
    results().print(Group(*tables))


def _splits_table(summary: Mapping[str, Any]) -> Table:
    table = _table(f"{summary['name']}: crops by class", "class", (*SPLITS, "all", "photographs"))
    for name, row in _rows(summary):
        table.add_row(name, *(str(row[column]) for column in (*SPLITS, "crops", "photographs")))
    return table


def _sizes_table(summary: Mapping[str, Any]) -> Table:
    title = f"crop sizes in pixels (min / median / max) before padding and resizing to {summary['input_size']}"
    table = _table(title, "class", ("width", "height", f"a side < {TINY}"))
    for name, row in _rows(summary):
        spreads = (
            f"{row[side]['min']} / {row[side]['median']:.0f} / {row[side]['max']}" for side in ("width", "height")
        )
        table.add_row(name, *spreads, str(row["tiny"]))
    return table


def _left_out_table(left_out: Mapping[str, list[str]]) -> Table:
    table = _table(f"left out: {sum(map(len, left_out.values()))}", "reason", ("count",))
    table.add_column("which")
    for reason, items in left_out.items():
        more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
        table.add_row(escape(reason), str(len(items)), escape(", ".join(items[:NAMED]) + more))
    return table


def _table(title: str, first: str, numbers: Sequence[str]) -> Table:
    table = Table(first, title=escape(title), title_justify="left")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _rows(summary: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [*((escape(name), row) for name, row in summary["classes"].items()), ("all", summary["all"])]


def check_tables(report: CheckReport) -> Group:
    """Everything that the terminal shows of a check."""
    parts: list[RenderableType] = [
        _counts_table(report),
        Columns([_histogram_table(one) for one in report.histograms], padding=(0, 4)),
    ]
    if report.licences:
        parts.append(_licence_table(report.licences))
    if report.findings:
        parts.append(_findings_table(report.findings))
    good = not (report.failed or report.unusable)
    parts.append(f"[{'bold green' if good else 'bold red'}]{escape(report.verdict)}[/]")
    return Group(*parts)


def used_splits(counts: Sequence[ClassCount]) -> tuple[str, ...]:
    """The splits that hold anything: none where nothing is split."""
    return tuple(split for split in SPLITS if any(row.splits[split] for row in counts))


def _counts_table(report: CheckReport) -> Table:
    splits = used_splits(report.counts)
    title = f"{report.name}: {report.crops} crops on {report.photographs} photographs"
    table = Table("class", title=escape(title), title_justify="left")
    for name in (*splits, "crops", "photographs", "tiny"):
        table.add_column(name, justify="right")
    for row in report.counts:
        figures = (*(row.splits[split] for split in splits), row.crops, row.photographs, row.tiny)
        table.add_row(escape(row.name), *map(str, figures), style="bold" if row is report.counts[-1] else None)
    return table


def _histogram_table(histogram: Histogram) -> Table:
    table = Table("range", title=histogram.title, title_justify="left")
    table.add_column("crops", justify="right")
    table.add_column("")
    most = max((count for _, count in histogram.bars), default=0) or 1
    for name, count in histogram.bars:
        table.add_row(name, str(count), "█" * round(BAR * count / most) if count else "")
    return table


def _licence_table(licences: Sequence[tuple[str, int]]) -> Table:
    table = Table("licence", title="licences", title_justify="left")
    table.add_column("images", justify="right")
    for name, count in licences:
        table.add_row(escape(name), str(count))
    return table


def _findings_table(findings: Sequence[Finding]) -> Table:
    table = Table("", "finding", title="findings", title_justify="left")
    table.add_column("count", justify="right")
    table.add_column("which", overflow="fold")
    for finding in findings:
        severity = f"[{COLOURS[finding.severity]}]{finding.severity}[/]"
        table.add_row(severity, finding.title, str(len(finding.items)), escape(_which(finding)))
    return table


def _which(finding: Finding) -> str:
    """The first names under each of the most frequent notes."""
    groups = finding.by_note()
    lines = []
    for note, names in groups[:NOTES]:
        first = [*names[:NAMED], *([f"and {len(names) - NAMED} more"] if len(names) > NAMED else [])]
        lines += [f"{len(names)} x {note}: {', '.join(first)}"] if note else first
    if len(groups) > NOTES:
        lines.append(f"and {len(groups) - NOTES} more reasons")
    return "\n".join(lines)


def account_table(account: Mapping[str, int]) -> Table:
    """Where every annotation of a downloaded set has gone, and their sum."""
    table = Table("annotations", title="every annotation accounted for", title_justify="left", show_footer=True)
    table.columns[0].footer = "in the file"
    table.add_column("count", justify="right", footer=str(sum(account.values())))
    for name, count in account.items():
        table.add_row(escape(name), str(count))
    return table


def missing_table(missing: Sequence[Mapping[str, str]], total: int, path: Path) -> Table:
    """The first photographs that could not be had, each with its address and the reason."""
    title = f"missing: {len(missing)} of {total} photographs; all are named in {path}"
    table = Table("photograph", "address", "reason", title=escape(title), title_justify="left")
    for row in missing[:MISSING]:
        table.add_row(*map(escape, row.values()))
    return table
