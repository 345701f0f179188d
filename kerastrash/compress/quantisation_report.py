"""What is known of an int8 file: accuracy and size before and after, and how it was made."""

from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from kerastrash.compress.config import QuantiseSettings
from kerastrash.export.format import Description
from kerastrash.export.formats import FormatName


@dataclass(frozen=True)
class Figures:
    """Of one file in its runtime."""

    bytes: int
    """On the disk, all parts together."""
    val_f1: float
    """Macro F1 on the validation split, by which the file is kept or refused."""
    test_f1: float
    """Macro F1 on the test split, by which nothing is decided."""


@dataclass(frozen=True)
class QuantisationReport:
    """An int8 file beside the float32 file of the same net in the same runtime; the content of its sidecar."""

    format: FormatName
    file: str
    source: str
    """The `.keras` file as it was named."""
    source_sha256: str
    description: Description
    input_size: int
    runtime: str
    device: str
    """The processor on which both were measured."""
    method: str
    """Of finding the maps' ranges: the one with the least divergence."""
    divergences: dict[str, float]
    """By method: mean Kullback-Leibler divergence from the float32 outputs, in nats, on training images held back."""
    images: int
    """Training images that the ranges are from."""
    held_back: int
    """Training images that the methods were compared on."""
    data: str
    data_fingerprint: str
    before: Figures
    after: Figures
    settings: QuantiseSettings
    versions: dict[str, str]
    """Of the packages that wrote and opened it."""
    written: str
    """When: ISO 8601, UTC."""

    @property
    def loss(self) -> float:
        """Of macro F1 on the validation split; below 0 where it rose."""
        return self.before.val_f1 - self.after.val_f1


def quantisation_table(report: QuantisationReport) -> Table:
    """The net in float32 and in int8, and the difference."""
    table = Table(
        title=escape(f"{report.file}: {report.runtime}, {report.data}"),
        caption=escape(
            f"{report.method}; {report.images} training images for the ranges; made for {report.settings.target}"
        ),
    )
    table.add_column("weights")
    for column in ("MB", "macro F1, validation", "macro F1, test"):
        table.add_column(column, justify="right")
    before, after = report.before, report.after
    for name, figures in (("float32", before), ("int8", after)):
        table.add_row(name, f"{figures.bytes / 1e6:.3f}", f"{figures.val_f1:.4f}", f"{figures.test_f1:.4f}")
    table.add_section()
    changes = (f"{after.val_f1 - before.val_f1:+.4f}", f"{after.test_f1 - before.test_f1:+.4f}")
    table.add_row("change", f"{after.bytes / before.bytes - 1:+.0%}", *changes)
    return table
