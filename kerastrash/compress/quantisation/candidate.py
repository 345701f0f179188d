"""What the quantisers of all runtimes share: which convolutions become int8, and what they hand back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Candidate:
    """An int8 file, and by which method it was made."""

    method: str
    path: Path


def convolutions_to_quantise(names: Sequence[str]) -> Sequence[str]:
    """The convolutions, given in their order in the net, that become int8: all but the first.

    The first one reads the pixels: three channels, which cost little and on which all else depends. Sums, activations,
    gates and the classifier stay in float as well: see docs/quantisation.md for what they would lose.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(names) < 2:
        raise ValueError(f"it has {len(names)} convolutions, the first of which stays in float")
    return names[1:]
