"""What a field of a row may hold: the type annotation itself carries the allowed values."""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

from kerastrash.errors import ModelError

ACTIVATIONS = ("relu", "relu6", "hard_swish", "silu", "linear")
PADDINGS = ("symmetric", "same")


@dataclasses.dataclass(frozen=True)
class Allowed:
    """The values that a field takes, in words for the error message and as a test."""

    text: str
    test: Callable[[Any], bool]


def is_whole(value: Any) -> bool:
    """True for an int that is no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """True for a finite int or float that is no bool."""
    return is_whole(value) or (isinstance(value, float) and abs(value) < float("inf"))


Count = Annotated[int, Allowed("a whole number of at least 1", lambda value: is_whole(value) and value >= 1)]
EvenCount = Annotated[
    int, Allowed("an even whole number of at least 2", lambda value: is_whole(value) and value >= 2 and not value % 2)
]
Kernel = Annotated[
    int,
    Allowed("an odd whole number such as 1, 3 or 5", lambda value: is_whole(value) and value > 0 and value % 2),
]
Stride = Annotated[int, Allowed("1 or 2", lambda value: is_whole(value) and value in (1, 2))]
Positive = Annotated[float, Allowed("a number above 0, such as 0.001", lambda value: is_number(value) and value > 0)]
Flag = Annotated[bool, Allowed("true or false", lambda value: isinstance(value, bool))]
Activation = Annotated[str, Allowed(f"one of {', '.join(ACTIVATIONS)}", lambda value: value in ACTIVATIONS)]
Padding = Annotated[str, Allowed(" or ".join(PADDINGS), lambda value: value in PADDINGS)]


def allowed_values(row_class: type) -> dict[str, Allowed]:
    """The allowed values of each field of a row class, in the order of its fields."""
    hints = get_type_hints(row_class, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in dataclasses.fields(row_class)}


def check_fields(row: Any) -> None:
    """Raises ModelError, naming field, value and allowed values, when a field of a row holds what it may not."""
    for name, allowed in allowed_values(type(row)).items():
        value = getattr(row, name)
        if not allowed.test(value):
            raise ModelError(f"{row.kind}: {name} is {value!r}; give {allowed.text}")
