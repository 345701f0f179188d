"""The search space as data: what may vary, how it is declared to KerasTuner, and the net and recipe of one choice.

A net of the space has the shape of the contest's: a 3x3 stem of 16 channels, one block at stride 1, `stages` stages
whose first block halves the resolution, a 1x1 head, pooling. A stage's settings exist only while the stage does.
Where the search is given a net of its own, its rows are made wider or narrower, deeper or shallower instead.
"""

import dataclasses
from typing import Any

import keras_tuner

from kerastrash.models import resolve_rows, scale_rows
from kerastrash.models.base import Rows
from kerastrash.models.layers import Conv, Pool
from kerastrash.models.mobilenet_v3 import InvertedResidual
from kerastrash.training.recipe import Recipe
from tuners.config import STAGE_CHANNELS, Space

HEAD_CHANNELS = 480


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
