"""The settings of a check: those of the data, and what counts as alike."""

from dataclasses import dataclass, field
from pathlib import Path

from kerastrash.data.config import DataConfig
from kerastrash.errors import require

LARGEST_NEAR = 16


@dataclass(frozen=True)
class CheckConfig(DataConfig):
    """Check a data set; write a page; exit with 1 when a leak or a conflicting label is found.

    Raises:
        ConfigError: `near` is out of its range.
    """

    data: str = field()  # without DataConfig's default: a positional argument
    """What to check, whatever --data takes elsewhere: the word `sample`, a COCO file (.json, or a folder with
    annotations.json), a folder of class folders, or tfds:NAME."""

    input_size: int = 96
    """Side of the square crops in the cache and in the contact sheets, in pixels."""

    near: int = 6
    """Bits, of 64, in which the perceptual hashes of near-duplicates may differ: 0 to 16."""

    strict: bool = False
    """Near-duplicates under two labels or on two sides of the split make the exit status 1 too."""

    report: Path | None = None
    """The page; by default check-NAME.html in this folder."""

    json: Path | None = None
    """Also write everything found, nothing shortened, as JSON to this file."""

    def __post_init__(self) -> None:
        require(0 <= self.near <= LARGEST_NEAR, "near", self.near, f"must be a number of bits from 0 to {LARGEST_NEAR}")
