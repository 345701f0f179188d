"""Checks a data set: duplicates, conflicting labels, leaks between splits, faulty boxes and files. Pure data out."""

from kerastrash.data.checks.check import check
from kerastrash.data.checks.config import CheckConfig
from kerastrash.data.checks.findings import Finding, Item, Kind, Picture, Severity
from kerastrash.data.checks.report import CheckReport

__all__ = ["CheckConfig", "CheckReport", "Finding", "Item", "Kind", "Picture", "Severity", "check"]
