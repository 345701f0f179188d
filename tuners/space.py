"""The search space as data: what may vary, how it is declared to KerasTuner, and the net and recipe of one choice.

A net of the space has the shape of the contest's: a 3x3 stem of 16 channels, one block at stride 1, `stages` stages
whose first block halves the resolution, a 1x1 head, pooling. A stage's settings exist only while the stage does.
Where the search is given a net of its own, its rows are made wider or narrower, deeper or shallower instead.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import keras_tuner

from kerastrash.errors import require
from kerastrash.models import resolve_rows, scale_rows
from kerastrash.models.base import Rows
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.mobilenet_v3 import InvertedResidual
from kerastrash.training.recipe import Loss, Recipe

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
        for field in dataclasses.fields(self):
            require(len(getattr(self, field.name)) > 0, f"space.{field.name}", (), "must have at least one value")
        most = len(STAGE_CHANNELS)
        require(all(1 <= n <= most for n in self.stages), "space.stages", self.stages, f"must lie in 1 to {most}")
        require(all(n >= 1 for n in self.repeats), "space.repeats", self.repeats, "must be 1 or more")
        require(all(n > 0 for n in self.widths), "space.widths", self.widths, "must be above 0")
        require(all(n > 0 for n in self.depths), "space.depths", self.depths, "must be above 0")
        require(all(k % 2 for k in self.kernels), "space.kernels", self.kernels, "must be odd")
        low, high = self.learning_rates
        require(0 < low <= high, "space.learning_rates", self.learning_rates, "must be LOWEST, HIGHEST above 0")


def declare(
    hp: keras_tuner.HyperParameters, space: Space, input_sizes: tuple[int, ...], net: str | None = None
) -> None:
    """Declares every hyperparameter; those of stage i only while there are more than i stages.

    Args:
        net: a preset or a .yaml file of rows, of which width and depth are searched; None for the space's own shape.
    """
    hp.Choice("input_size", list(input_sizes))
    hp.Choice("width", list(space.widths))
    hp.Choice("n_select", list(space.n_select))
    hp.Choice("loss", list(space.losses))
    hp.Choice("batch_size", list(space.batch_sizes))
    low, high = space.learning_rates
    if low == high:
        hp.Fixed("learning_rate", low)
    else:
        hp.Float("learning_rate", low, high, sampling="log")
    if net is None:
        _declare_stages(hp, space)
    else:
        hp.Choice("depth", list(space.depths))


def _declare_stages(hp: keras_tuner.HyperParameters, space: Space) -> None:
    hp.Choice("stages", list(space.stages))
    for stage in range(max(space.stages)):
        with hp.conditional_scope("stages", [count for count in space.stages if count > stage]):
            hp.Choice(f"repeats_{stage}", list(space.repeats))
            hp.Choice(f"kernel_{stage}", list(space.kernels))
            hp.Choice(f"expansion_{stage}", list(space.expansions))
            hp.Choice(f"squeeze_excite_{stage}", list(space.squeeze_excite))
            hp.Choice(f"hard_swish_{stage}", list(space.hard_swish))


def rows_of(values: dict[str, Any], net: str | None = None) -> Rows:
    """The rows of the net that the hyperparameter values describe, of the given net or of the space's own shape."""
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
