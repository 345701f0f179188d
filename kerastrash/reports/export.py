"""What an export has done, as a table for the terminal."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from kerastrash.export.agreement import Attempt, ExportReport
from kerastrash.reports.tables import PlainTable


def export_tables(attempts: Sequence[Attempt], title: str) -> Iterator[RenderableType]:
    """A table with a row a format, then a sentence for each that failed: why there is no file."""
    yield PlainTable(
        ("format", "file", "MB", "agreement", "difference", "relative", "batch", "runtime", "seconds"),
        [[attempt.format, *_cells(attempt.outcome), f"{attempt.seconds:.1f}"] for attempt in attempts],
        text=("format", "file"),
        title=title,
        caption="agreement: images that get the same class as from the Keras model; difference: the largest of any "
        "output, and relative to the largest output.",
        styles={index: "red" for index, attempt in enumerate(attempts) if isinstance(attempt.outcome, Exception)},
    )
    for attempt in attempts:
        if isinstance(attempt.outcome, Exception):
            yield Text.assemble((f"{attempt.format}:", "bold red"), f" {attempt.outcome}")


def _cells(outcome: ExportReport | Exception) -> tuple[str, ...]:
    if isinstance(outcome, Exception):
        return ("failed, see below", *[""] * 6)
    agreement = outcome.agreement
    return (
        outcome.file,
        f"{outcome.bytes / 1e6:.2f}",
        f"{agreement.top1:.1%} of {agreement.images}",
        f"{agreement.difference:.1e}",
        f"{agreement.relative_difference:.1e}",
        ", ".join(map(str, agreement.batches)),
        outcome.runtime,
    )
