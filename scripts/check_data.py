"""Checks a data set, prints what was found and writes it as a page."""

import re
from pathlib import Path

from kerastrash.cli import run
from kerastrash.console import results, track
from kerastrash.data.checks import CheckConfig, check
from kerastrash.errors import DataError
from kerastrash.files import write_json
from kerastrash.reports.data_page import write_page
from kerastrash.reports.data_tables import check_tables


def main(config: CheckConfig) -> int:
    """Check a data set: exit status 0 when clean, 1 for a leak or a conflicting label, 2 where it cannot be used."""
    report = check(config, track)
    results().print(check_tables(report))
    page = config.report or Path(f"check-{re.sub(r'[^-.a-zA-Z0-9]+', '_', report.name)}.html")
    write_page(report, page)
    results().print(f"Page: {page}", soft_wrap=True, highlight=False)
    if config.json:
        write_json(config.json, report.plain())
    if report.unusable:
        raise DataError(report.unusable)
    return 1 if report.failed else 0


if __name__ == "__main__":
    run(main)
