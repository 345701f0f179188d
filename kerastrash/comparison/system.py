"""A system: a net and how it is trained, with several seeds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.compress.config import DistillSettings, PruneSettings
from kerastrash.data import DataConfig
from kerastrash.models.base import Rows
from kerastrash.training.recipe import Recipe

Kind = Literal["trained", "fine-tuned", "distilled", "pruned"]


@dataclass(frozen=True)
class System:
    """One row of the table; what the systems file says of it, checked."""

    name: str
    kind: Kind
    net: str
    """As it is named in the file: a preset, a file of rows, pretrained weights; of a pruned one, what it was."""
    rows: Rows | None
    """Of the net; None where pretrained weights bring one, or a trained net is pruned."""
    weights: str | None
    """Pretrained ones."""
    input_size: int | None
    """Side of the images in pixels; None for a pruned file, which has its own."""
    origins: tuple[str | Path, ...]
    """Teachers, or the net that is pruned: a system's name as text, or a .keras file."""
    distill: DistillSettings | None
    prune: PruneSettings | None
    recipe: Recipe
    """Its seed is replaced by each of `seeds`."""
    seeds: tuple[int, ...]
    team: int | None
    """Which of the contest's teams used it; None for ours."""
    note: str


@dataclass(frozen=True)
class Systems:
    """A systems file."""

    path: Path
    data: DataConfig
    baseline: str | None
    """Name of the system that the others are scored against."""
    systems: tuple[System, ...]
    """In the order of the file; none is made from itself."""
