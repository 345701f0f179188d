"""Tables of plain text, for the terminal and as markdown. What stands in them is never taken as markup."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class PlainTable:
    """Columns and rows of text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: Collection[str] = ()
    """Columns of words beside the first, to the left and folded where it is narrow; numbers are never folded."""
    title: str = ""
    caption: str = ""
    styles: Mapping[int, str] = field(default_factory=dict)
    """How rich draws a row, by its index."""
    summed: bool = False
    """Whether a line sets the last row apart from the others."""

    def __rich__(self) -> Table:
        """The table as rich draws it: it can be printed as it is."""
        table = Table(
            title=Text(self.title, "table.title") if self.title else None,
            caption=Text(self.caption, "table.caption") if self.caption else None,
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            title_justify="left",
        )
        for name in self.columns:
            words = name in (self.columns[0], *self.text)
            table.add_column(Text(name), justify="left" if words else "right", overflow="fold", no_wrap=not words)
        for index, row in enumerate(self.rows):
            if self.summed and index == len(self.rows) - 1:
                table.add_section()
            table.add_row(*map(Text, row), style=self.styles.get(index))
        return table

    def markdown(self) -> str:
        """A markdown table, title and caption left out; bars inside cells are escaped, lines joined."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        cells = ([cell.replace("\n", " ").replace("|", r"\|") for cell in line] for line in lines)
        return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def ranked(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows of nets from the lowest `score` up, then by F1; those without a score at the end."""

    def place(row: Mapping[str, Any]) -> tuple[bool, float, float]:
        score, f1 = row.get("score"), row.get("test_f1") or row.get("val_f1") or 0
        return score is None, score or 0, -f1

    return sorted(rows, key=place)


def number(value: float | None, form: str, absent: str = "") -> str:
    """A number in a format of Python's, such as `.4f`; where there is none, what stands for it."""
    return absent if value is None else format(value, form)
