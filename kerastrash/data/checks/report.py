"""The result of a check: everything that the terminal, the page and the JSON file show."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from kerastrash.data.checks.annotations import Category
from kerastrash.data.checks.counts import ClassCount, Histogram
from kerastrash.data.checks.findings import Finding, Kind, Severity
from kerastrash.data.dataset import Dataset

STRICT = frozenset({Kind.NEAR_CONFLICT, Kind.NEAR_LEAK})
"""Warnings that a strict check treats as errors."""


@dataclass(frozen=True)
class CheckReport:
    """Counts, histograms and findings of a data set."""

    name: str
    data: str
    """What was checked, as the command line names it."""
    photographs: int
    crops: int
    """Crops that the source offers, before any is left out."""
    counts: tuple[ClassCount, ...]
    """By class, then `all`: of the prepared set, or, where it cannot be prepared, as annotated."""
    histograms: tuple[Histogram, ...]
    licences: tuple[tuple[str, int], ...]
    """Licence and number of images; empty where the source has none to state."""
    categories: tuple[Category, ...]
    """Of a COCO file: which class each becomes."""
    findings: tuple[Finding, ...]
    """What was found, the gravest kind first."""
    strict: bool
    unusable: str = ""
    """Why the set cannot be prepared; empty where it can."""
    dataset: Dataset | None = None
    """The prepared set, for its pictures."""

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings for which the set does not pass."""
        return tuple(
            finding
            for finding in self.findings
            if finding.severity is Severity.ERROR or (self.strict and finding.kind in STRICT)
        )

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        if self.unusable:
            return f"Cannot be prepared: {self.unusable}"
        if self.failed:
            return "Failed: " + ", ".join(f"{one.title.lower()} ({len(one.items)})" for one in self.failed) + "."
        counts = Counter(finding.severity for finding in self.findings)
        warnings = counts[Severity.WARNING]
        rest = f"{warnings} kind{'s' * (warnings != 1)} of warning" if warnings else "no warnings"
        return f"Passed: no conflicting label, no leak; {rest}."

    def plain(self) -> dict[str, Any]:
        """All of it but the pictures, ready for JSON."""
        return {
            "name": self.name,
            "data": self.data,
            "verdict": self.verdict,
            "photographs": self.photographs,
            "crops": self.crops,
            "classes": [asdict(row) for row in self.counts],
            "histograms": {one.title: dict(one.bars) for one in self.histograms},
            "licences": dict(self.licences),
            "categories": [asdict(row) for row in self.categories],
            "findings": [finding.plain() for finding in self.findings],
        }
