"""Checks a data set: duplicates, conflicting labels, leaks between splits, faulty boxes and files. Pure data out."""

from kerastrash.data.checks.check import CheckReport, check
from kerastrash.data.checks.findings import Finding, Item, Kind, Picture, Severity

__all__ = ["CheckReport", "Finding", "Item", "Kind", "Picture", "Severity", "check"]
