"""The rows of a comparison: one for each model, and one for each system over its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from kerastrash.comparison.job import Status
from kerastrash.comparison.system import Kind


@dataclass(frozen=True)
class SeedRow:
    """One model; figures that there are not are None, and `reason` says why."""

    system: str
    seed: int
    status: Status
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
    kind: Kind
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
    """Of the baseline's."""
    score: float | None
    """Lower is better."""
    score_sd: float | None
    status: str
    """`finished`, or what became of its seeds, such as `finished, failed`."""
    reason: str
    note: str


def mean(values: Sequence[float | None]) -> float | None:
    """Of the numbers among the values; None without any."""
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers else None


def whole_mean(values: Sequence[int | None]) -> int | None:
    """`mean`, rounded."""
    number = mean(values)
    return None if number is None else round(number)


def deviation(values: Sequence[float | None]) -> float | None:
    """The standard deviation of a sample; None for fewer than two numbers."""
    numbers = [value for value in values if value is not None]
    return stdev(numbers) if len(numbers) > 1 else None


def ranked(rows: Sequence[SystemRow]) -> list[SystemRow]:
    """From the lowest score up, then by F1; those without either at the end."""
    return sorted(rows, key=lambda row: (row.score is None, row.score or 0, -(row.test_f1 or row.val_f1 or 0)))
