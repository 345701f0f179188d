"""Means and deviations over the seeds of a system, whatever is missing left out."""

from collections.abc import Sequence
from statistics import fmean, stdev


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
