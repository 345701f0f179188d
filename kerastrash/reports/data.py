"""A data set and what a check of it found: on the terminal, and as one self-contained page of HTML."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from PIL import Image
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.text import Text

from kerastrash.console import results
from kerastrash.data.checks import CheckReport, Finding, Item, Picture, Severity
from kerastrash.data.dataset import TINY, summarise
from kerastrash.data.images import ImageError, read_crop
from kerastrash.data.records import SPLITS, Dataset
from kerastrash.files import write_text
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
    def spread(row: Mapping[str, Any], length: str) -> str:
        return f"{row[length]['min']} / {row[length]['median']:.0f} / {row[length]['max']}"

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
        Columns([_histogram_table(title, bars) for title, bars in report.histograms.items()], padding=(0, 4)),
    ]
    if report.licences:
        parts.append(_count_table("licence", "images", report.licences, "licences"))
    if report.findings:
        parts.append(_findings_table(report.findings))
    good = not (report.failed or report.unusable)
    parts.append(Text(report.verdict, "bold green" if good else "bold red"))
    return Group(*parts)


def used_splits(counts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The splits that hold anything: none where nothing is split."""
    return tuple(split for split in SPLITS if any(row["splits"][split] for row in counts))


def _counts_table(report: CheckReport) -> PlainTable:
    splits, counted = used_splits(report.counts), ("crops", "photographs", "tiny")
    rows = [
        [row["name"], *(str(row["splits"][split]) for split in splits), *(str(row[name]) for name in counted)]
        for row in report.counts
    ]
    return PlainTable(
        ("class", *splits, *counted),
        rows,
        text=("class",),
        title=f"{report.name}: {report.crops} crops on {report.photographs} photographs",
        styles={len(rows) - 1: "bold"},
    )


def _histogram_table(title: str, bars: Mapping[str, int]) -> PlainTable:
    most = max(bars.values()) or 1
    rows = [[name, str(count), "█" * round(BAR * count / most)] for name, count in bars.items()]
    return PlainTable(("range", "crops", ""), rows, text=("range", ""), title=title)


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
    """What every annotation of a downloaded set has become, and their sum."""
    rows = [[name, str(count)] for name, count in (*account.items(), ("in the file", sum(account.values())))]
    title = "every annotation accounted for"
    return PlainTable(("annotations", "count"), rows, text=("annotations",), title=title, summed=True)


def missing_table(missing: Sequence[Mapping[str, str]], total: int, path: Path) -> PlainTable:
    """The first photographs that could not be had, each with its address and the reason."""
    columns = ("photograph", "address", "reason")
    title = f"missing: {len(missing)} of {total} photographs; all are named in {path}"
    return PlainTable(columns, [list(row.values()) for row in missing[:MISSING]], text=columns, title=title)


TEMPLATES = Path(__file__).resolve().parents[1] / "assets" / "templates"
PICTURE = 160
"""Side in pixels of the pictures of findings."""
SHEET_PICTURE = 96
QUALITY = 75
MOST_ITEMS = 12
"""Items of a finding shown with pictures."""
MOST_PICTURES = 4
"""Pictures shown of one item."""
MOST_NAMES = 40
"""Names listed for each finding and reason."""
SHEET = 24
"""Pictures of a contact sheet, fewer where there are many classes."""
ALL_SHEETS = 480


@dataclass(frozen=True)
class Shown:
    """A picture on the page."""

    uri: str
    name: str
    label: str = ""
    split: str = ""


@dataclass(frozen=True)
class ShownItem:
    """An item of a finding with its pictures, and how many more it has."""

    note: str
    pictures: tuple[Shown, ...]
    more: int


@dataclass(frozen=True)
class Names:
    """Items of a finding that share a note."""

    note: str
    count: int
    names: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class ShownFinding:
    """A finding, with as much of it as fits on a page."""

    finding: Finding
    items: tuple[ShownItem, ...]
    names: tuple[Names, ...]


@dataclass(frozen=True)
class Sheet:
    """Crops of one class, drawn at random."""

    name: str
    count: int
    pictures: tuple[Shown, ...]


def write_page(report: CheckReport, path: Path) -> None:
    """Writes the page; the same report gives the same page.

    Raises:
        FileError: the file cannot be written.
    """
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("data_page.html.j2").render(
        report=report,
        splits=used_splits(report.counts),
        findings=[_shown_finding(finding) for finding in report.findings],
        sheets=contact_sheets(report.dataset) if report.dataset else [],
    )
    write_text(path, page)


def contact_sheets(dataset: Dataset, seed: int = 0) -> list[Sheet]:
    """Some crops of each class, in the order of the data set."""
    rng = np.random.default_rng(seed)
    used = np.concatenate(list(dataset.splits.values()))
    most = min(SHEET, max(6, ALL_SHEETS // len(dataset.classes)))
    sheets = []
    for label, name in enumerate(dataset.classes):
        mine = used[dataset.labels[used] == label]
        chosen = sorted(rng.choice(mine, min(most, len(mine)), replace=False).tolist())
        pictures = (Shown(_jpeg(dataset.images[index], SHEET_PICTURE), dataset.crops[index].key) for index in chosen)
        sheets.append(Sheet(name, len(mine), tuple(pictures)))
    return sheets


def _shown_finding(finding: Finding) -> ShownFinding:
    items = tuple(_shown_item(item) for item in finding.items[:MOST_ITEMS] if item.pictures)
    names = (
        Names(note, len(lines), tuple(lines[:MOST_NAMES]), max(0, len(lines) - MOST_NAMES))
        for note, lines in finding.by_note()
    )
    return ShownFinding(finding, items, tuple(names))


def _shown_item(item: Item) -> ShownItem:
    shown = item.pictures[:MOST_PICTURES]
    return ShownItem(item.note, tuple(map(_shown, shown)), len(item.pictures) - len(shown))


def _shown(picture: Picture) -> Shown:
    try:
        uri = _jpeg(read_crop(picture.crop, PICTURE), PICTURE)
    except ImageError:  # gone since it was checked
        uri = ""
    return Shown(uri, picture.name, picture.label, picture.split)


def _jpeg(pixels: np.ndarray, side: int) -> str:
    """A data URI of a square uint8 RGB picture, made no larger than `side`."""
    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
