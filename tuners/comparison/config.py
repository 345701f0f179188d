"""The settings of a comparison; what is compared stands in the systems file."""

from dataclasses import dataclass, field
from pathlib import Path

from kerastrash.scoring.config import ClockConfig


@dataclass(frozen=True)
class CompareConfig:
    """Train every system of a file, score and time all; the same command goes on where it stopped.

    Exit status 1 where one of them failed.
    """

    systems: Path
    """YAML file of the systems: see docs/comparison.md."""
    data: str | None = None
    """In place of the data that the systems file names: a COCO file, a folder of class folders, tfds:NAME, `sample`."""
    images: Path | None = None
    """In place of the systems file's image folder of a COCO file."""
    categories: Path | None = None
    """In place of the systems file's category map of a COCO file."""
    cache: Path | None = None
    """In place of the systems file's folder of the decoded crops."""
    only: tuple[str, ...] | None = None
    """Train only these systems, such as `lite0 student`, and those that they are made from; left out, all."""
    train_only: bool = False
    """Train and stop: times are worthless on a machine that does something else as well. The same command without it
    goes on from there."""
    name: str | None = None
    """Name of the run's folder; left out, that of the systems file."""
    runs: Path = Path("runs")
    """Folder of all runs."""
    clock: ClockConfig = field(default_factory=lambda: ClockConfig(timed_images=200))
    """How they are timed, and beside which baseline."""

    @property
    def folder(self) -> Path:
        """runs/NAME."""
        return self.runs / (self.name or self.systems.stem)
