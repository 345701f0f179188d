"""What the pages of a comparison are fed: a row for each model, one for each system over its seeds, and their whole."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerastrash.scoring.formula import Reference


@dataclass(frozen=True)
class SeedRow:
    """One model; figures that there are not are None, and `reason` says why."""

    system: str
    seed: int
    status: str
    """`finished`, `failed`, `skipped` or `not run`."""
    val_f1: float | None
    """Macro F1 on the validation split."""
    test_f1: float | None
    ms: float | None
    """Median milliseconds an image at batch 1, of the architecture."""
    p90_ms: float | None
    score: float | None
    parameters: int | None
    macs: int | None
    epochs: int | None
    seconds: float | None
    """How long its last process took."""
    device: str
    """What it was trained on."""
    model: str
    reason: str


@dataclass(frozen=True)
class SystemRow:
    """One system: means over the seeds that finished, and `_sd`, the sample's standard deviation of two or more."""

    name: str
    kind: str
    """`trained`, `fine-tuned`, `distilled` or `pruned`."""
    team: int | None
    """Which of the contest's teams used it; None for ours."""
    net: str
    input_size: int | None
    epochs: int
    seeds: int
    """How many finished."""
    parameters: int | None
    macs: int | None
    val_f1: float | None
    test_f1: float | None
    test_f1_sd: float | None
    ms: float | None
    relative_time: float | None
    """Share of the baseline's."""
    score: float | None
    """Lower is better."""
    score_sd: float | None
    status: str
    """`finished`, or what became of its seeds, such as `finished, failed`."""
    reason: str
    note: str


@dataclass(frozen=True)
class Comparison:
    """All rows, the best system first, and what they were measured on."""

    folder: Path
    systems_file: Path
    data: dict[str, Any]
    """Settings of the data."""
    baseline: str | None
    """Name of the system that the others are scored against."""
    settings: dict[str, Any]
    """Settings of the comparison."""
    environment: dict[str, Any]
    rows: tuple[SystemRow, ...]
    seed_rows: tuple[SeedRow, ...]
    reference: Reference | None = None
    """What systems are scored against; None where nothing could be measured of the baseline, or only trained."""
    conditions: str = ""
    """Runtime and device of the times."""
    splits: dict[str, int] = dataclasses.field(default_factory=dict)
    """Images of each split; empty where nothing was measured."""
    timed_images: int = 0
    classes: tuple[str, ...] = ()
    left_out: str = ""
    """What of the data could not be used."""

    @property
    def devices(self) -> list[str]:
        """What the models were trained on."""
        return list(dict.fromkeys(row.device for row in self.seed_rows if row.device))

    @property
    def failed(self) -> bool:
        """Whether a system, or a seed of one, has failed or was skipped."""
        return any(row.status in ("failed", "skipped") for row in self.seed_rows)


def ranked(rows: Sequence[SystemRow]) -> list[SystemRow]:
    """The rows from the lowest score up, then by F1; those without either at the end."""
    return sorted(rows, key=lambda row: (row.score is None, row.score or 0, -(row.test_f1 or row.val_f1 or 0)))
