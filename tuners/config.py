"""The settings of a search; every one is an option of `scripts/tune.py` and a key of its `--config` YAML."""

from dataclasses import dataclass, field
from pathlib import Path

from kerastrash.data.config import DataConfig
from kerastrash.errors import require
from kerastrash.models import map_sizes, resolve_rows
from kerastrash.scoring.config import ClockConfig
from kerastrash.training.recipe import Recipe
from tuners.space import Space


@dataclass(frozen=True, kw_only=True)
class TuneConfig(ClockConfig, DataConfig):
    """Search depth, width and recipe of a net by Hyperband, train and score the best, and write runs/NAME."""

    name: str | None = None
    """Name of the run's folder; left out, it follows from the data."""
    runs: Path = Path("runs")
    """Folder of all runs."""
    input_sizes: tuple[int, ...] = (48, 64)
    """Input sizes in pixels that the search may choose from."""
    net: str | None = None
    """Preset or .yaml file of rows whose width and depth are searched; left out, nets of the space's own shape."""
    max_epochs: int = 6
    """Epochs of the longest trials, over which the learning rate makes its one cycle."""
    factor: int = 3
    """Of the trials of a rung, one in this many is promoted to the next, with as many times the epochs."""
    iterations: int = 1
    """How often all of Hyperband's brackets are run."""
    max_params: int | None = None
    """Nets with more trainable parameters are never trained."""
    max_macs: int | None = None
    """Nets with more multiply-accumulates an image are never trained."""
    seed: int = 2021
    """Seed of the search and of every training in it."""
    retrain_epochs: int = 0
    """Train the best net once more, from scratch, for so many epochs; 0 keeps the trial's own model."""
    timed_images: int | None = 40
    """Test crops on which nets are timed, one at a time; none: all of them."""
    latency_folder: Path | None = None
    """Measured times are kept here, and reused on the same device; left out, in `latency/` beside the runs."""
    space: Space = field(default_factory=Space)
    """What the search may choose from."""
    recipe: Recipe = field(default_factory=Recipe)
    """What all trials share; epochs and seed, and what the search chooses, are put in its place."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.input_sizes) > 0, "input_sizes", self.input_sizes, "must name at least one size")
        for size in self.input_sizes if self.net else ():
            map_sizes(resolve_rows(self.net), size)  # no multiplier adds a halving
        require(self.max_epochs >= 1, "max_epochs", self.max_epochs, "must be at least 1")
        require(self.factor >= 2, "factor", self.factor, "must be at least 2")
        require(self.iterations >= 1, "iterations", self.iterations, "must be at least 1")
        require(self.retrain_epochs >= 0, "retrain_epochs", self.retrain_epochs, "must be 0 or more")

    @property
    def folder(self) -> Path:
        """runs/NAME."""
        return self.runs / (self.name or default_name(self.data))


def default_name(data: str) -> str:
    """A run's name from its data: the folder's name, or folder and stem of a file, or `sample`."""
    path = Path(data).resolve()
    return data if data == "sample" else f"{path.parent.name}-{path.stem}" if path.suffix else path.name
