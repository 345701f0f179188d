"""The page of a check: self-contained, escaped, of bounded size."""

import html
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from kerastrash.data.checks import check
from kerastrash.data.config import CheckConfig, DataConfig
from kerastrash.reports.data import contact_sheets, write_page

LOADS = re.compile(r'\b(?:src|href|srcset|data|poster|action)="([^"]*)"')


def words_of(page: str) -> str:
    """The text of a page."""
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", "", page, flags=re.DOTALL))


@pytest.fixture
def folder(tmp_path):
    """Two classes, one of them named like markup, with one picture under both."""
    for name in ("<b>&", "box"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(6):
            coarse = np.random.default_rng((number, len(name))).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((48, 36)).save(tmp_path / "set" / name / f"{number}.png")
    shutil.copy(tmp_path / "set" / "box" / "0.png", tmp_path / "set" / "<b>&" / "copy.png")
    return tmp_path / "set"


def report_of(folder):
    """The report of the folder's check."""
    return check(CheckConfig(data=DataConfig(data=str(folder), cache=folder.parent / "cache"), input_size=16))


@pytest.fixture
def report(folder):
    return report_of(folder)


@pytest.fixture
def text(report, tmp_path):
    write_page(report, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text()


def test_the_page_loads_nothing_and_every_anchor_leads_somewhere(text):
    loads, images = LOADS.findall(text), re.findall(r'<img\b[^>]*\bsrc="([^"]*)"', text)
    assert len(images) == 13 + 2
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in images)
    assert all(load.startswith(("data:", "#")) for load in loads)
    assert not re.search(r"<(script|link|iframe|object|embed)\b|https?:|@import|url\(", text)
    anchors = {load.removeprefix("#") for load in loads if load.startswith("#")}
    assert "conflict" in anchors
    assert anchors <= set(re.findall(r'\bid="([^"]*)"', text))


def test_names_are_escaped_and_a_conflict_shows_both_pictures_with_their_labels(text):
    assert "<b>&<" not in text
    assert "&lt;b&gt;&amp;/copy.png" in text
    assert "<b>&: 7" in words_of(text)
    section = text[text.index('<section id="conflict">') :].split("</section>")[0]
    assert section.count("<img") == 2
    assert "<b>box</b>" in section and "<b>&lt;b&gt;&amp;</b>" in section


def test_it_follows_the_reader_s_colours_and_width(text):
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_the_same_report_gives_the_same_page(report, text, tmp_path):
    write_page(report, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == text


def test_a_contact_sheet_holds_crops_of_its_class(report):
    for sheet in contact_sheets(report.dataset):
        assert sheet.count == len(sheet.pictures)
        assert all(name.startswith(f"{sheet.name}/") for _, name in sheet.pictures)


def test_many_findings_are_shortened_and_counted(folder, tmp_path):
    for number in range(60):
        (folder / "box" / f"damaged{number}.png").write_bytes(b"no image")
        shutil.copy(folder / "box" / "1.png", folder / "box" / f"copy{number}.png")
    write_page(report_of(folder), tmp_path / "page.html")
    words = words_of((tmp_path / "page.html").read_text())
    assert "is no image: 60" in words
    assert "and 20 more (all of them with --json)" in words
    assert "and 57 more of the same" in words
    assert "damaged59" not in words
