"""What a table looks like on a terminal."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console


@pytest.fixture
def drawn() -> Callable[..., str]:
    """Prints to a console of 200 columns and returns the text."""

    def draw(*objects: object) -> str:
        text = io.StringIO()
        Console(file=text, width=200).print(*objects, sep="\n")
        return text.getvalue()

    return draw
