"""A data set on the terminal: what it holds and left out, and what a check of it found."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.text import Text

from kerastrash.console import results
from kerastrash.data.checks import CheckReport, Finding, Severity
from kerastrash.data.counts import TINY, ClassCount, Histogram, summarise
from kerastrash.data.dataset import Dataset
from kerastrash.data.records import SPLITS
from kerastrash.reports.tables import PlainTable

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
    rows = {**summary["classes"], "all": summary["all"]}
    tables = [_splits_table(rows, summary["name"]), _sizes_table(rows, summary["input_size"])]
    if summary["left_out"]:
        tables.append(_left_out_table(summary["left_out"]))
    results().print(Group(*tables))


def _splits_table(rows: Mapping[str, Mapping[str, Any]], name: str) -> PlainTable:
    cells = [
        [label, *(str(row[column]) for column in (*SPLITS, "crops", "photographs"))] for label, row in rows.items()
    ]
    return PlainTable(("class", *SPLITS, "all", "photographs"), cells, text=("class",), title=f"{name}: crops by class")


def _sizes_table(rows: Mapping[str, Mapping[str, Any]], size: int) -> PlainTable:
    def spread(row: Mapping[str, Any], side: str) -> str:
        return f"{row[side]['min']} / {row[side]['median']:.0f} / {row[side]['max']}"

    cells = [[label, spread(row, "width"), spread(row, "height"), str(row["tiny"])] for label, row in rows.items()]
    title = f"crop sizes in pixels (min / median / max) before padding and resizing to {size}"
    return PlainTable(("class", "width", "height", f"a side < {TINY}"), cells, text=("class",), title=title)


def _left_out_table(left_out: Mapping[str, list[str]]) -> PlainTable:
    rows = [[reason, str(len(items)), ", ".join(_first(items))] for reason, items in left_out.items()]
    title = f"left out: {sum(map(len, left_out.values()))}"
    return PlainTable(("reason", "count", "which"), rows, text=("reason", "which"), title=title)


def _first(items: Sequence[str]) -> list[str]:
    """The first items, and how many more there are."""
    return [*items[:NAMED], *([f"and {len(items) - NAMED} more"] if len(items) > NAMED else [])]


def check_tables(report: CheckReport) -> Group:
    """Everything that the terminal shows of a check."""
    parts: list[RenderableType] = [
        _counts_table(report),
        Columns([_histogram_table(one) for one in report.histograms], padding=(0, 4)),
    ]
    if report.licences:
        parts.append(_count_table("licence", "images", report.licences, "licences"))
    if report.findings:
        parts.append(_findings_table(report.findings))
    good = not (report.failed or report.unusable)
    parts.append(Text(report.verdict, "bold green" if good else "bold red"))
    return Group(*parts)


def used_splits(counts: Sequence[ClassCount]) -> tuple[str, ...]:
    """The splits that hold anything: none where nothing is split."""
    return tuple(split for split in SPLITS if any(row.splits[split] for row in counts))


def _counts_table(report: CheckReport) -> PlainTable:
    splits = used_splits(report.counts)
    rows = [
        [row.name, *map(str, (*(row.splits[split] for split in splits), row.crops, row.photographs, row.tiny))]
        for row in report.counts
    ]
    return PlainTable(
        ("class", *splits, "crops", "photographs", "tiny"),
        rows,
        text=("class",),
        title=f"{report.name}: {report.crops} crops on {report.photographs} photographs",
        styles={len(rows) - 1: "bold"},
    )


def _histogram_table(histogram: Histogram) -> PlainTable:
    most = max((count for _, count in histogram.bars), default=0) or 1
    rows = [[name, str(count), "█" * round(BAR * count / most)] for name, count in histogram.bars]
    return PlainTable(("range", "crops", ""), rows, text=("range", ""), title=histogram.title)


def _count_table(name: str, number: str, counts: Iterable[tuple[str, int]], title: str) -> PlainTable:
    return PlainTable((name, number), [[each, str(count)] for each, count in counts], text=(name,), title=title)


def _findings_table(findings: Sequence[Finding]) -> PlainTable:
    return PlainTable(
        ("severity", "finding", "count", "which"),
        [[one.severity, one.title, str(len(one.items)), _which(one)] for one in findings],
        text=("severity", "finding", "which"),
        title="findings",
        styles={index: COLOURS[one.severity] for index, one in enumerate(findings)},
    )


def _which(finding: Finding) -> str:
    """The first names under each of the most frequent notes."""
    groups = finding.by_note()
    lines = []
    for note, names in groups[:NOTES]:
        first = _first(names)
        lines += [f"{len(names)} x {note}: {', '.join(first)}"] if note else first
    if len(groups) > NOTES:
        lines.append(f"and {len(groups) - NOTES} more reasons")
    return "\n".join(lines)


def account_table(account: Mapping[str, int]) -> PlainTable:
    """Where every annotation of a downloaded set has gone, and their sum."""
    rows = [[name, str(count)] for name, count in (*account.items(), ("in the file", sum(account.values())))]
    title = "every annotation accounted for"
    return PlainTable(("annotations", "count"), rows, text=("annotations",), title=title, summed=True)


def missing_table(missing: Sequence[Mapping[str, str]], total: int, path: Path) -> PlainTable:
    """The first photographs that could not be had, each with its address and the reason."""
    columns = ("photograph", "address", "reason")
    title = f"missing: {len(missing)} of {total} photographs; all are named in {path}"
    return PlainTable(columns, [list(row.values()) for row in missing[:MISSING]], text=columns, title=title)
