"""Checks a data set: duplicates, conflicting labels, leaks between splits, faulty boxes and files. Pure data out."""

from dataclasses import dataclass
from typing import Any

from kerastrash.data.checks.duplicates import duplicate_findings
from kerastrash.data.checks.faults import annotation_facts, file_findings
from kerastrash.data.checks.findings import Finding, Item, Picture, Severity, present
from kerastrash.data.checks.scan import scan, sight
from kerastrash.data.config import CheckConfig, check_config
from kerastrash.data.dataset import class_counts, counted_dataset, counted_source, histograms, prepare_source
from kerastrash.data.images import Track, untracked
from kerastrash.data.records import Dataset, LeftOut
from kerastrash.data.sources import annotation_file, open_source
from kerastrash.errors import DataError

__all__ = ["CheckReport", "Finding", "Item", "Picture", "Severity", "check"]
STRICT = frozenset({"near_conflict", "near_leak"})
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
    counts: list[dict[str, Any]]
    """`class_counts` of the prepared set, or, where it cannot be prepared, of what is annotated."""
    histograms: dict[str, dict[str, int]]
    licences: tuple[tuple[str, int], ...]
    """Licence and number of images; empty where the source has none to state."""
    categories: list[dict[str, Any]]
    """Which class each category of a COCO file becomes."""
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
        grave = STRICT if self.strict else ()
        return tuple(one for one in self.findings if one.severity is Severity.ERROR or one.kind in grave)

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        if self.unusable:
            return f"Cannot be prepared: {self.unusable}"
        if self.failed:
            return "Failed: " + ", ".join(f"{one.title.lower()} ({len(one.items)})" for one in self.failed) + "."
        warnings = sum(finding.severity is Severity.WARNING for finding in self.findings)
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
            "classes": self.counts,
            "histograms": self.histograms,
            "licences": dict(self.licences),
            "categories": self.categories,
            "findings": [finding.plain() for finding in self.findings],
        }


def check(config: CheckConfig, track: Track = untracked) -> CheckReport:
    """Reads every photograph of the source once, prepares the set, and reports what was found.

    A set that cannot be prepared (no image is there, a class is too small to split) is checked all the same: the
    report says why in `unusable`.

    Raises:
        DataError: the source cannot be read.
        ConfigError: a setting is out of range.
        FileError: the cache cannot be written.
    """
    check_config(config.data, config.input_size)
    source = open_source(config.data)
    scanned = scan(source, track)
    try:
        dataset, unusable = prepare_source(source, config.data, config.input_size, track), ""
        own = {dataset.crops[index].key: split for split, indices in dataset.splits.items() for index in indices}
        counted, left_out = counted_dataset(dataset), dataset.left_out
    except DataError as error:
        dataset, unusable, own, counted = None, str(error), {}, counted_source(source)
        unread = [(crop, one.reason) for one in scanned if one.look is None for crop in one.crops]
        left_out = (*source.left_out, *(LeftOut(crop.key, reason) for crop, reason in unread))
    path = annotation_file(config.data.data)
    categories, licences, stated = annotation_facts(path, config.data.categories, scanned)
    duplicates = duplicate_findings(*sight(source, scanned, own), config.near)
    return CheckReport(
        name=source.name,
        data=config.data.data,
        photographs=len(scanned),
        crops=len(source.crops),
        counts=class_counts(counted),
        histograms=histograms(counted),
        licences=licences,
        categories=categories,
        findings=present([*duplicates, *file_findings(source, scanned, left_out), *stated]),
        strict=config.strict,
        unusable=unusable,
        dataset=dataset,
    )
