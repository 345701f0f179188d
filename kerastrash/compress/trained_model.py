"""Which model a compression begins with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainedModel:
    """The first field of settings that inherit it: without a default, so that the command line takes it first."""

    model: Path
    """The trained model, a .keras file."""
