"""What every row of a net is, and the arithmetic that the kinds of row share.

A row knows what it costs and what shape it leaves; `blocks` knows its Keras layers. A new kind of row is a subclass of
`Row`, an `add_row` function for it, and a place in `ROW_CLASSES` of `rows_file.py`; the builder and the costs stay as
they are.
"""

import dataclasses
import enum
import itertools
from typing import ClassVar, Self

from kerastrash.errors import ModelError
from kerastrash.models.checks import check_fields


class Where(enum.Enum):
    """The map on which a weighted layer of a row works."""

    INPUT = "as large as the map that enters the row"
    OUTPUT = "as large as the map that leaves the row"
    POINT = "one pixel"


@dataclasses.dataclass(frozen=True)
class Weights:
    """One weighted layer: `kernel` elements, applied once a pixel, and `others` (biases, batch-norm scale, shift)."""

    kernel: int
    others: int
    where: Where = Where.OUTPUT


@dataclasses.dataclass(frozen=True)
class Row:
    """Base of all rows: leaves its input as it is, holds no weights, and takes no part in width and depth scaling.

    `repeats` marks a block, with `channels` and `stride`: the depth multiplier lengthens or shortens its stage.
    `takes_map` and `gives_map` say whether a map (height, width, channels) or a vector (channels) enters and leaves.
    `net_modules` and `stage_modules` are what the PyTorch implementation that a block comes from holds besides the
    rows' own modules: once, and once a stage.
    """

    kind: ClassVar[str]
    repeats: ClassVar[bool] = False
    takes_map: ClassVar[bool] = True
    net_modules: ClassVar[int] = 4  # MobileNet's: the net, the container of its rows, and two for the classifier
    stage_modules: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def gives_map(self) -> bool:
        return True

    def weights(self, channels: int) -> tuple[Weights, ...]:
        """The weighted layers, given the channels that enter."""
        return ()

    def modules(self, channels: int) -> int:
        """`len(list(module.modules()))` of this row in the PyTorch implementation that the row reproduces."""
        return 1

    def output_channels(self, channels: int) -> int:
        """The channels that leave, given those that enter; raises ModelError for some that cannot enter."""
        return channels

    def output_size(self, size: int) -> int:
        """The side in pixels of the square map that leaves, given the side of the one that enters."""
        return size

    def widened(self, width: float) -> Self:
        """The row with its channels times `width`."""
        return self


Rows = tuple[Row, ...]


def runs(rows: Rows) -> tuple[Rows, ...]:
    """The rows in runs: each stage, which is a run of blocks with the same output channels, and what lies between."""
    grouped = itertools.groupby(rows, key=lambda row: row.channels if row.repeats else None)
    return tuple(tuple(run) for _, run in grouped)


def divisible(value: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `value`, at least `divisor` and at least 0.9 of `value`.

    Source: `_make_divisible` of the MobileNet authors (github.com/tensorflow/models, slim/nets/mobilenet).
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def convolution(inputs: int, filters: int, kernel: int = 1, where: Where = Where.OUTPUT) -> Weights:
    """A convolution without bias and the batch norm that follows it."""
    return Weights(inputs * filters * kernel**2, 2 * filters, where)


def squeeze_excitation(channels: int) -> tuple[Weights, Weights]:
    """The two 1x1 convolutions, with bias, of a squeeze-and-excitation gate (Hu et al. 2018, arXiv:1709.01507)."""
    squeezed = squeezed_channels(channels)
    return (
        Weights(channels * squeezed, squeezed, Where.POINT),
        Weights(channels * squeezed, channels, Where.POINT),
    )


def squeezed_channels(channels: int) -> int:
    """A quarter of the channels, rounded to a multiple of 8."""
    return divisible(channels // 4)


def strided(size: int, stride: int) -> int:
    """The side of a map after a convolution of odd kernel, symmetric padding `kernel // 2` and this stride."""
    if stride > 1 and size == 1:
        raise ModelError("a stride of 2 cannot shrink a map of 1 pixel; give a larger input size or a stride of 1")
    return (size - 1) // stride + 1
