"""What is printed of names and reasons: as they stand, whatever brackets are in them."""

import io

import pytest
from rich.console import Console

from kerastrash import console

ODD = "a[b]/[/c] [red]d"


@pytest.fixture
def terminal(monkeypatch) -> io.StringIO:
    """What a terminal gets."""
    stream = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=stream, force_terminal=True, width=200, color_system=None))
    return stream


def test_brackets_in_a_bar_and_in_a_message_are_no_markup(terminal):
    assert list(console.track([1, 2], ODD, "crops")) == [1, 2]
    console.say(ODD)
    assert terminal.getvalue().count(ODD) >= 2
    assert terminal.getvalue().endswith(f"{ODD}\n")


def test_brackets_in_a_line_of_results_are_no_markup(capsys):
    console.written(ODD, f": {ODD}")
    assert capsys.readouterr().out == f"{ODD}: {ODD}\n"


def test_where_there_is_no_terminal_a_line_says_what_was_done(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=stream))
    assert list(console.track(iter([1]), ODD, "crops", before=3)) == [1]
    assert stream.getvalue().startswith(f"{ODD}: 1 crops in ") and "(3 before)" in stream.getvalue()
