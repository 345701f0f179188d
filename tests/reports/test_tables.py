"""A table of text: drawn as it stands, never as markup, and the same as markdown."""

import pytest
from rich.table import Table

from kerastrash.reports.tables import PlainTable, number, ranked

MARKUP = "C:[/bold] [red]x[/] [a, b] :smile: back\\slash"
"""Rich would take this for a closing tag without an opening one, colours and an emoji."""


@pytest.fixture
def table() -> PlainTable:
    rows, title, caption = [[MARKUP, "1"], ["sum", "2"]], f"title {MARKUP}", f"caption {MARKUP}"
    return PlainTable((MARKUP, "n"), rows, (), title, caption, styles={0: "red"}, summed=True)


def test_text_that_looks_like_markup_stands_as_it_is(table, drawn):
    text = " ".join(drawn(table).split())
    assert text.count(MARKUP) == 4
    assert f"title {MARKUP}" in text and f"caption {MARKUP}" in text


def test_numbers_stand_to_the_right_and_are_never_folded(table):
    words, numbers = table.__rich__().columns
    assert (words.justify, words.overflow, words.no_wrap) == ("left", "fold", False)
    assert (numbers.justify, numbers.no_wrap) == ("right", True)


def test_a_line_sets_the_sum_apart_and_rows_have_their_style(table):
    drawn: Table = table.__rich__()
    assert [row.end_section for row in drawn.rows] == [True, False]
    assert [row.style for row in drawn.rows] == ["red", None]


def test_markdown_cells_keep_their_bars_and_lines_inside():
    assert PlainTable(["a\nb"], [["c | d"]]).markdown() == "| a b |\n| --- |\n| c \\| d |"


def test_a_number_that_is_not_there_is_what_stands_for_it():
    assert [number(1.25, ".1f"), number(None, ".1f"), number(0, "d", "-"), number(None, "d", "-")] == [
        *("1.2", "", "0", "-")
    ]


def test_rows_are_ranked_by_score_and_then_by_f1():
    scored = {"worse": (0.9, 0.9), "equal": (0.5, 0.6), "best": (0.5, 0.7)}
    figures = {"none": (None, None), **scored, "poor": (None, 0.2), "unscored": (None, 0.8)}
    rows = [{"name": name, "score": score, "test_f1": f1} for name, (score, f1) in figures.items()]
    assert [row["name"] for row in ranked(rows)] == ["best", "equal", "worse", "unscored", "poor", "none"]
