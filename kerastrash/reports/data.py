"""A data set and what a check of it found: on the terminal, and as one self-contained page of HTML."""

import base64
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.text import Text

from kerastrash.console import results
from kerastrash.data import Crop
from kerastrash.data.checks import CheckReport, Finding, Severity
from kerastrash.data.dataset import TINY, summarise
from kerastrash.data.images import ImageError, read_crop
from kerastrash.data.records import SPLITS, Dataset
from kerastrash.files import write_text
from kerastrash.reports.pages import page
from kerastrash.reports.tables import PlainTable

COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
NAMED = 2
"""Items named for each finding and reason; the page shows more, the JSON file all."""
NOTES = 4
"""Reasons named for each finding."""
BAR = 16
MISSING = 10
"""Missing photographs printed; the file names all."""
PICTURE, SHEET_PICTURE = 160, 96
"""Sides in pixels of the pictures of findings and of contact sheets."""
SHEET, ALL_SHEETS = 24, 480
"""Pictures of a contact sheet, fewer where there are many classes, and of all sheets."""


def print_summary(dataset: Dataset) -> None:
    """Prints what the data set holds, and what was left out of it, to standard output."""
    summary = summarise(dataset)
    rows = {**summary["classes"], "all": summary["all"]}
    columns = (*SPLITS, "crops", "photographs")
    counts = [[label, *(str(row[column]) for column in columns)] for label, row in rows.items()]
    sizes = []
    for label, row in rows.items():
        sides = (f"{side['min']} / {side['median']:.0f} / {side['max']}" for side in (row["width"], row["height"]))
        sizes.append([label, *sides, str(row["tiny"])])
    title = f"crop sizes in pixels (min / median / max) before padding and resizing to {summary['input_size']}"
    tables = [
        PlainTable(("class", *SPLITS, "all", "photographs"), counts, title=f"{dataset.name}: crops by class"),
        PlainTable(("class", "width", "height", f"a side < {TINY}"), sizes, title=title),
    ]
    if left_out := summary["left_out"]:
        tables.append(left_out_table(left_out))
    results().print(Group(*tables))


def left_out_table(left_out: Mapping[str, Sequence[str]]) -> PlainTable:
    """How many were left out for each reason, and the first of them."""
    reasons = [[reason, str(len(items)), ", ".join(_first(items))] for reason, items in left_out.items()]
    title = f"left out: {sum(map(len, left_out.values()))}"
    return PlainTable(("reason", "count", "which"), reasons, ("which",), title)


def _first(items: Sequence[str]) -> list[str]:
    """The first items, and how many more there are."""
    return [*items[:NAMED], *([f"and {len(items) - NAMED} more"] if len(items) > NAMED else [])]


def check_tables(report: CheckReport) -> Iterator[RenderableType]:
    """Everything that the terminal shows of a check."""
    splits, counted = used_splits(report.counts), ("crops", "photographs", "tiny")
    rows = [
        [row["name"], *(str(row["splits"][split]) for split in splits), *(str(row[name]) for name in counted)]
        for row in report.counts
    ]
    title = f"{report.name}: {report.crops} crops on {report.photographs} photographs"
    columns = ("class", *splits, *counted)
    yield PlainTable(columns, rows, title=title, styles={len(rows) - 1: "bold"})
    yield Columns(itertools.starmap(_histogram_table, report.histograms.items()), padding=(0, 4))
    if report.licences:
        rows = [[licence, str(count)] for licence, count in report.licences]
        yield PlainTable(("licence", "images"), rows, title="licences")
    if report.findings:
        rows = [[one.severity, one.title, str(len(one.items)), _which(one)] for one in report.findings]
        styles = {index: COLOURS[one.severity] for index, one in enumerate(report.findings)}
        columns = ("severity", "finding", "count", "which")
        yield PlainTable(columns, rows, ("finding", "which"), "findings", styles=styles)
    good = not (report.failed or report.unusable)
    yield Text(report.verdict, "bold green" if good else "bold red")


def used_splits(counts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The splits that hold anything: none where nothing is split."""
    return tuple(split for split in SPLITS if any(row["splits"][split] for row in counts))


def _histogram_table(title: str, bars: Mapping[str, int]) -> PlainTable:
    most = max(bars.values()) or 1
    rows = [[name, str(count), "█" * round(BAR * count / most)] for name, count in bars.items()]
    return PlainTable(("range", "crops", ""), rows, ("",), title)


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
    return PlainTable(("annotations", "count"), rows, title=title, summed=True)


def missing_table(missing: Sequence[Mapping[str, str]], total: int, path: Path) -> PlainTable:
    """The first photographs that could not be had, each with its address and the reason."""
    columns = ("photograph", "address", "reason")
    title = f"missing: {len(missing)} of {total} photographs; all are named in {path}"
    return PlainTable(columns, [list(row.values()) for row in missing[:MISSING]], columns, title)


def write_page(report: CheckReport, path: Path) -> None:
    """Writes the page; the same report gives the same page.

    Raises:
        FileError: the file cannot be written.
    """
    sheets = contact_sheets(report.dataset) if report.dataset else []
    values = {"report": report, "splits": used_splits(report.counts), "sheets": sheets, "data_uri": _picture}
    write_text(path, page("data_page.html.j2", **values))


@dataclass(frozen=True)
class Sheet:
    """Crops of one class, drawn at random."""

    name: str
    count: int
    """Crops of the class."""
    pictures: tuple[tuple[str, str], ...]
    """Data URI and name of each."""


def contact_sheets(dataset: Dataset, seed: int = 0) -> list[Sheet]:
    """Some crops of each class, in the order of the data set."""
    rng = np.random.default_rng(seed)
    used = np.concatenate(list(dataset.splits.values()))
    most = min(SHEET, max(6, ALL_SHEETS // len(dataset.classes)))
    sheets = []
    for label, name in enumerate(dataset.classes):
        mine = used[dataset.labels[used] == label]
        chosen = sorted(rng.choice(mine, min(most, len(mine)), replace=False).tolist())
        pictures = ((_jpeg(dataset.images[index], SHEET_PICTURE), dataset.crops[index].key) for index in chosen)
        sheets.append(Sheet(name, len(mine), tuple(pictures)))
    return sheets


def _picture(crop: Crop) -> str:
    """A data URI; empty where the photograph is gone since it was checked."""
    try:
        return _jpeg(read_crop(crop, PICTURE), PICTURE)
    except ImageError:
        return ""


def _jpeg(pixels: np.ndarray, side: int) -> str:
    """A data URI of a square uint8 RGB picture, made no larger than `side`."""
    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
