"""A check of a data set as one page: self-contained HTML, every picture inside it."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader
from PIL import Image

from kerastrash.data.checks import CheckReport, Finding, Item, Picture
from kerastrash.data.dataset import Dataset
from kerastrash.data.images import ImageError, read_crop
from kerastrash.files import write_text
from kerastrash.reports.data_tables import used_splits

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
