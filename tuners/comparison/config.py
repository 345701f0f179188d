"""The settings of a comparison; what is compared stands in the systems file."""

from dataclasses import dataclass
from pathlib import Path

from kerastrash.scoring.config import ClockConfig


@dataclass(frozen=True)
class SystemsFile:
    """The first field of the settings below: without a default, so that the command line takes it first."""

    systems: Path
    """YAML file of the systems: see docs/comparison.md."""


@dataclass(frozen=True)
class CompareConfig(ClockConfig, SystemsFile):
    """Which systems are trained now, where they lie, and how they are timed."""

    timed_images: int | None = 200
    """Time only so many images, spread evenly over the test part; none: all of them."""
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

    @property
    def folder(self) -> Path:
        """runs/NAME."""
        return self.runs / (self.name or self.systems.stem)
