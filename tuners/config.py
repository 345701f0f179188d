"""The settings of a search and of a comparison, each an option of the command and a key of its `--config` YAML; and
what the search may choose from, how that is declared to KerasTuner, and the net and recipe of one choice.

A net of the space has the shape of the contest's: a 3x3 stem of 16 channels, one block at stride 1, `stages` stages
whose first block halves the resolution, a 1x1 head, pooling. A stage's settings exist only while the stage does.
Where the search is given a net of its own, its rows are made wider or narrower, deeper or shallower instead.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerastrash.data.config import DataConfig, unnamed
from kerastrash.errors import require
from kerastrash.runs import InRun
from kerastrash.scoring.config import ClockConfig
from kerastrash.training.recipe import Loss, Recipe

if TYPE_CHECKING:
    import keras_tuner

    from kerastrash.models import Rows

STAGE_CHANNELS = (24, 40, 80, 112, 160)
HEAD_CHANNELS = 480


@dataclass(frozen=True)
class Space:
    """What the search may choose from; one value fixes a setting."""

    stages: tuple[int, ...] = (2, 3, 4)
    """Stages after the stem; each halves the resolution."""
    repeats: tuple[int, ...] = (1, 2, 3)
    """Blocks in a stage."""
    widths: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25)
    """Width multipliers of the whole net."""
    depths: tuple[float, ...] = (0.5, 0.75, 1.0)
    """Depth multipliers, where the search is given a net: all that belongs to a stage is then left out."""
    kernels: tuple[int, ...] = (3, 5)
    """Depthwise kernel sizes of a stage."""
    expansions: tuple[float, ...] = (2.0, 3.0, 4.0, 6.0)
    """Expansion factors of a stage."""
    squeeze_excite: tuple[bool, ...] = (False, True)
    """Whether a stage has squeeze-and-excite gates."""
    hard_swish: tuple[bool, ...] = (False, True)
    """Whether a stage uses hard-swish in place of ReLU."""
    n_select: tuple[int, ...] = (0, 1, 2, 3)
    """RandAugment operations for each image."""
    losses: tuple[Loss, ...] = ("cross_entropy", "logit_adjusted")
    """Losses."""
    learning_rates: tuple[float, float] = (0.02, 0.3)
    """Lowest and highest peak learning rate, searched on a logarithmic scale."""
    batch_sizes: tuple[int, ...] = (32, 64)
    """Batch sizes."""

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            require(len(getattr(self, each.name)) > 0, f"space.{each.name}", (), "must have at least one value")
        most = len(STAGE_CHANNELS)
        require(all(1 <= n <= most for n in self.stages), "space.stages", self.stages, f"must lie in 1 to {most}")
        for name in ("repeats", "widths", "depths"):
            values = getattr(self, name)
            require(all(value > 0 for value in values), f"space.{name}", values, "must be above 0")
        require(all(k % 2 for k in self.kernels), "space.kernels", self.kernels, "must be odd")
        low, high = self.learning_rates
        require(0 < low <= high, "space.learning_rates", self.learning_rates, "must be LOWEST, HIGHEST above 0")


def declare(hp: "keras_tuner.HyperParameters", config: "TuneConfig") -> None:
    """Declares every hyperparameter; those of stage i only while there are more than i stages."""
    space = config.space
    hp.Choice("input_size", list(dict.fromkeys(config.input_sizes)))
    hp.Choice("width", list(space.widths))
    hp.Choice("n_select", list(space.n_select))
    hp.Choice("loss", list(space.losses))
    hp.Choice("batch_size", list(space.batch_sizes))
    low, high = space.learning_rates
    if low == high:
        hp.Fixed("learning_rate", low)
    else:
        hp.Float("learning_rate", low, high, sampling="log")
    if config.net is not None:
        hp.Choice("depth", list(space.depths))
        return
    hp.Choice("stages", list(space.stages))
    for stage in range(max(space.stages)):
        with hp.conditional_scope("stages", [count for count in space.stages if count > stage]):
            hp.Choice(f"repeats_{stage}", list(space.repeats))
            hp.Choice(f"kernel_{stage}", list(space.kernels))
            hp.Choice(f"expansion_{stage}", list(space.expansions))
            hp.Choice(f"squeeze_excite_{stage}", list(space.squeeze_excite))
            hp.Choice(f"hard_swish_{stage}", list(space.hard_swish))


def rows_of(values: dict[str, Any], net: str | None = None) -> "Rows":
    """The rows of the net that the hyperparameter values describe, of the given net or of the space's own shape."""
    from kerastrash.models import Conv, InvertedResidual, Pool, resolve_rows, scale_rows  # loads Keras

    if net is not None:
        return scale_rows(resolve_rows(net), values["width"], values["depth"])
    rows: list = [Conv(16, kernel=3, stride=2, activation="hard_swish"), InvertedResidual(3, 1, 16, False, False, 1)]
    for stage in range(values["stages"]):
        rows += [
            InvertedResidual(
                kernel=values[f"kernel_{stage}"],
                expansion=values[f"expansion_{stage}"],
                channels=STAGE_CHANNELS[stage],
                squeeze_excite=bool(values[f"squeeze_excite_{stage}"]),
                hard_swish=bool(values[f"hard_swish_{stage}"]),
                stride=2 if block == 0 else 1,
            )
            for block in range(values[f"repeats_{stage}"])
        ]
    rows += [Conv(HEAD_CHANNELS), Pool()]
    return scale_rows(tuple(rows), width=values["width"])


def recipe_of(values: dict[str, Any], base: Recipe) -> Recipe:
    """The base recipe with what the search chooses put in."""
    names = ("n_select", "loss", "learning_rate", "batch_size")
    return dataclasses.replace(base, **{name: values[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class TuneConfig(InRun):
    """Search depth, width and recipe of a net by Hyperband, train and score the best, and write runs/NAME."""

    input_sizes: tuple[int, ...] = (48, 64)
    """Input sizes in pixels that the search may choose from."""
    net: str | None = None
    """Preset or .yaml file of rows whose width and depth are searched; left out, nets of the space's own shape."""
    max_epochs: int = 6
    """Epochs of the longest trials, over which the learning rate makes its one cycle."""
    factor: int = 3
    """One in this many of the trials of a rung is promoted to the next, with as many times the epochs."""
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
    latency_folder: Path | None = None
    """Measured times are kept here, and reused on the same device; left out, in `latency/` beside the runs."""
    data: DataConfig = field(default_factory=DataConfig)
    """Which data."""
    clock: ClockConfig = field(default_factory=lambda: ClockConfig(timed_images=40))
    """How nets are timed, one test crop at a time, and beside which baseline."""
    space: Space = field(default_factory=Space)
    """What the search may choose from."""
    recipe: Recipe = field(default_factory=Recipe)
    """What all trials share; epochs and seed, and what the search chooses, are put in its place."""

    def __post_init__(self) -> None:
        require(len(self.input_sizes) > 0, "input_sizes", self.input_sizes, "must name at least one size")
        if self.net:
            from kerastrash.models import map_sizes, resolve_rows  # loads Keras

            for size in self.input_sizes:  # of which no multiplier adds a halving
                map_sizes(resolve_rows(self.net), size)
        require(self.max_epochs >= 1, "max_epochs", self.max_epochs, "must be at least 1")
        require(self.factor >= 2, "factor", self.factor, "must be at least 2")
        require(self.iterations >= 1, "iterations", self.iterations, "must be at least 1")
        require(self.retrain_epochs >= 0, "retrain_epochs", self.retrain_epochs, "must be 0 or more")

    @property
    def usual_name(self) -> str:
        """The name of the run's folder where none is given: the data's folder, or folder and stem of a file."""
        path = Path(self.data.data).resolve()
        if self.data.data == "sample":
            return "sample"
        return f"{path.parent.name}-{path.stem}" if path.suffix else path.name


@dataclass(frozen=True)
class CompareConfig(InRun):
    """Train every system of a file, score and time all; the same command goes on where it stopped.

    Exit status 1 where one of them failed.
    """

    systems: Path
    """YAML file of the systems: see docs/comparison.md."""
    only: tuple[str, ...] | None = None
    """Train only these systems, such as `lite0 student`, and those that they are made from; left out, all."""
    train_only: bool = False
    """Train and stop: times are worthless on a machine that does something else as well. The same command without it
    goes on from there."""
    data: DataConfig = field(default_factory=unnamed)
    """What takes the place of the systems file's data."""
    clock: ClockConfig = field(default_factory=lambda: ClockConfig(timed_images=200))
    """How they are timed, and beside which baseline."""

    @property
    def folder(self) -> Path:
        """runs/NAME."""
        return self.runs / (self.name or self.systems.stem)
