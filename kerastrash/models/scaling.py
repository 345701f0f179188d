"""Width and depth multipliers, applied here and nowhere else."""

import dataclasses
import math

from kerastrash.errors import ModelError
from kerastrash.models.checks import is_number
from kerastrash.models.row import Rows, runs


def scale_rows(rows: Rows, width: float = 1.0, depth: float = 1.0) -> Rows:
    """The rows of a net made wider or narrower, deeper or shallower; unchanged at 1.0.

    Width multiplies the channels of stem, blocks and heads, rounded to multiples of 8, or of 16 where a block works on
    halves. Depth multiplies the rows of each stage, rounded half up: rows go from the stage's end (one stays), or its
    last row is repeated with stride 1. A stage is a run of blocks with the same output channels.
    Source: width, Howard et al. 2017 (arXiv:1704.04861); depth by stage, Tan and Le 2019 (arXiv:1905.11946).

    Raises:
        ModelError: a multiplier that is no number above 0.
    """
    for name, multiplier in (("width", width), ("depth", depth)):
        if not is_number(multiplier) or multiplier <= 0:
            raise ModelError(f"{name} is {multiplier!r}; give a number above 0, 1.0 for the net as it is")
    deepened = rows if depth == 1 else _deepened(rows, depth)
    return tuple(deepened) if width == 1 else tuple(row.widened(width) for row in deepened)


def _deepened(rows: Rows, depth: float) -> Rows:
    return tuple(row for run in runs(rows) for row in (_resized(run, depth) if run[0].repeats else run))


def _resized(stage: Rows, depth: float) -> Rows:
    length = max(1, math.floor(len(stage) * depth + 0.5))
    repeated = dataclasses.replace(stage[-1], stride=1)
    return stage[:length] + (repeated,) * (length - len(stage))
