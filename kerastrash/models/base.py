"""The row that every net is made of: what its fields may hold, and the arithmetic that all kinds share."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_type_hints

import keras

from kerastrash.errors import ModelError

ACTIVATIONS = ("relu", "relu6", "hard_swish", "silu", "linear")
PADDINGS = ("symmetric", "same")


def is_whole(value: Any) -> bool:
    """True for an int that is no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """True for a finite int or float that is no bool."""
    return is_whole(value) or (isinstance(value, float) and abs(value) < float("inf"))


# What a field may hold, in words for the error message and as a test.
Count = Annotated[int, "a whole number of at least 1", lambda value: is_whole(value) and value >= 1]
EvenCount = Annotated[int, "an even whole number of at least 2", lambda n: is_whole(n) and n >= 2 and not n % 2]
Kernel = Annotated[int, "an odd whole number such as 1, 3 or 5", lambda n: is_whole(n) and n > 0 and n % 2]
Stride = Annotated[int, "1 or 2", lambda value: is_whole(value) and value in (1, 2)]
Positive = Annotated[float, "a number above 0, such as 0.001", lambda value: is_number(value) and value > 0]
Flag = Annotated[bool, "true or false", lambda value: isinstance(value, bool)]
Activation = Annotated[str, f"one of {', '.join(ACTIVATIONS)}", lambda value: value in ACTIVATIONS]
Padding = Annotated[str, " or ".join(PADDINGS), lambda value: value in PADDINGS]


def allowed_values(row_class: type) -> dict[str, tuple[str, Callable[[Any], bool]]]:
    """What each field of a row class may hold, in the order of its fields: in words, and as a test."""
    hints = get_type_hints(row_class, include_extras=True)
    return {field.name: hints[field.name].__metadata__ for field in dataclasses.fields(row_class)}


class Filter(NamedTuple):
    """A convolution without bias, its batch norm and its activation; depthwise where no `channels` are given.

    A `gate` is squeeze and excitation, "early" before the activation or "late" behind it.
    """

    name: str
    channels: int | None
    kernel: int = 1
    stride: int = 1
    activation: str = "linear"
    gate: Literal["", "early", "late"] = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """Base of all rows: leaves its input as it is, holds no weights, and takes no part in width and depth scaling.

    `repeats` marks a block, with `channels` and `stride`: the depth multiplier lengthens or shortens its stage.
    `takes_map` and `gives_map` say whether a map (height, width, channels) or a vector (channels) enters and leaves.
    Raises ModelError, naming field, value and allowed values, where a field holds what it may not.
    `net_modules` and `stage_modules` are what the PyTorch implementation that a block comes from holds besides the
    rows' own modules: once, and once a stage. `scaled` names the fields that a width multiplies.
    """

    kind: ClassVar[str]
    repeats: ClassVar[bool] = False
    takes_map: ClassVar[bool] = True
    gives_map: ClassVar[bool] = True
    net_modules: ClassVar[int] = 4  # MobileNet's: the net, the container of its rows, and two for the classifier
    stage_modules: ClassVar[int] = 0
    scaled: ClassVar[tuple[str, ...]] = ("channels", "expanded", "squeezed", "units")
    divisor: ClassVar[int] = 8
    stride = 1  # without a type, or it would stand before the other fields of a row that has it for a field

    def __post_init__(self) -> None:
        for name, (words, test) in allowed_values(type(self)).items():
            value = getattr(self, name)
            if not test(value):
                raise ModelError(f"{self.kind}: {name} is {value!r}; give {words}")

    def add(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        """Adds the row's layers behind `x` (N, H, W, C or N, C); their names begin with `name`."""
        raise NotImplementedError(f"{type(self).__name__} has no layers: give it the method add")

    def paths(self, channels: int) -> tuple[tuple[Filter, ...], ...]:
        """The convolutions on each way through the row, given the channels that enter."""
        return ()

    def costs(self, channels: int, size: int) -> tuple[int, int]:
        """Parameters and multiply-accumulates, given the channels and the side in pixels of the map that enters."""
        parameters = macs = 0
        for path in self.paths(channels):
            inputs, side = channels, size
            for part in path:
                outputs, side = part.channels or inputs, strided(side, part.stride)
                kernel = outputs * part.kernel**2 * (inputs if part.channels else 1)
                parameters += kernel + 2 * outputs
                macs += kernel * side**2
                if part.gate:
                    squeezed = divisible(outputs // 4)
                    parameters += 2 * outputs * squeezed + squeezed + outputs
                    macs += 2 * outputs * squeezed
                inputs = outputs
        return parameters, macs

    def modules(self, channels: int) -> int:
        """`len(list(module.modules()))` of this row in the PyTorch implementation that the row reproduces."""
        return 1

    def output_channels(self, channels: int) -> int:
        """The channels that leave, given those that enter; raises ModelError for some that cannot enter."""
        return vars(self).get("channels", channels)

    def output_size(self, size: int) -> int:
        """The side in pixels of the square map that leaves, given the side of the one that enters."""
        return strided(size, self.stride)

    def widened(self, width: float) -> Self:
        """The row with each count of `scaled` times `width`, rounded to multiples of `divisor`."""
        counts = {name: value for name, value in vars(self).items() if name in self.scaled}
        return dataclasses.replace(self, **{name: divisible(n * width, self.divisor) for name, n in counts.items()})


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


def strided(size: int, stride: int) -> int:
    """The side of a map after a convolution of odd kernel, symmetric padding `kernel // 2` and this stride."""
    if stride > 1 and size == 1:
        raise ModelError("a stride of 2 cannot shrink a map of 1 pixel; give a larger input size or a stride of 1")
    return (size - 1) // stride + 1


def with_fields(rows: Rows, **values: Any) -> Rows:
    """The rows with these values, such as padding="same", wherever a row has such a field.

    Raises:
        ModelError: a value that a field may not hold.
    """
    held = [{name: value for name, value in values.items() if name in vars(row)} for row in rows]
    return tuple(dataclasses.replace(row, **fields) for row, fields in zip(rows, held, strict=True))
