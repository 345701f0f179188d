"""What an export has done, as a table for the terminal."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from kerastrash.export.agreement import Attempt, ExportReport


def export_tables(attempts: Sequence[Attempt], title: str) -> Iterator[RenderableType]:
    """A table with a row a format, then a sentence for each that failed: why there is no file."""
    table = Table(
        title=escape(title),
        caption="agreement: images that get the same class as from the Keras model; difference: the largest of any "
        "output, and relative to the largest output.",
    )
    for column in ("format", "file"):
        table.add_column(column, overflow="fold")
    for column in ("MB", "agreement", "difference", "relative", "batch", "runtime", "seconds"):
        table.add_column(column, justify="right")
    for attempt in attempts:
        table.add_row(attempt.format, *_cells(attempt.outcome), f"{attempt.seconds:.1f}")
    yield table
    for attempt in attempts:
        if isinstance(attempt.outcome, Exception):
            yield f"[bold red]{attempt.format}:[/] {escape(str(attempt.outcome))}"


def _cells(outcome: ExportReport | Exception) -> tuple[str, ...]:
    if isinstance(outcome, Exception):
        return ("[red]failed, see below[/]", *[""] * 6)
    agreement = outcome.agreement
    return (
        escape(outcome.file),
        f"{outcome.bytes / 1e6:.2f}",
        f"{agreement.top1:.1%} of {agreement.images}",
        f"{agreement.difference:.1e}",
        f"{agreement.relative_difference:.1e}",
        ", ".join(map(str, agreement.batches)),
        outcome.runtime,
    )
