"""`prepare` and `check`: what a data set holds, and what is wrong with it."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from kerastrash.commands.settings import PrepareConfig, TfdsConfig
from kerastrash.console import console, progress_bar, results, say, track, written
from kerastrash.data import prepare, taco
from kerastrash.data.checks import check
from kerastrash.data.config import CheckConfig, TacoConfig
from kerastrash.data.download import WantedPhotograph
from kerastrash.data.records import SPLITS, by_reason
from kerastrash.data.sources import TFDS
from kerastrash.errors import DataError
from kerastrash.files import write_json
from kerastrash.reports.data import (
    account_table,
    check_tables,
    left_out_table,
    missing_table,
    print_summary,
    write_page,
)
from kerastrash.reports.tables import PlainTable

LINE_EVERY = 100
"""Photographs between two lines of progress where there is no terminal for a bar."""


def prepare_data(config: PrepareConfig) -> None:
    """Decodes the crops into the cache and prints what the data set holds and what was left out."""
    print_summary(prepare(config.data, config.input_size, track))


def prepare_taco(config: TacoConfig) -> None:
    """Fetches TACO's photographs from the addresses in its annotation files and cuts their crops; resumable."""
    prepared = taco.prepare_taco(config, track, with_bar)
    print_summary(prepared.dataset)
    if prepared.missing:
        results().print(missing_table(prepared.missing, prepared.photographs, config.folder / taco.MISSING))
    results().print(account_table(prepared.account))


def with_bar(
    ended: Iterable[WantedPhotograph], description: str, unit: str, total: int, before: int = 0
) -> Iterator[WantedPhotograph]:
    """Passes the photographs on under a bar with count, rate, time left and the bytes that came."""
    started, received, done, missing = time.perf_counter(), 0, before, 0
    with progress_bar() as progress:
        task = progress.add_task(description, total=total, completed=before, unit=unit, note="")
        for download in ended:
            yield download
            done += 1
            missing += bool(download.reason)
            received += 0 if download.reason else download.path.stat().st_size
            seconds = time.perf_counter() - started
            note = f"{received / 1e6 / seconds:.1f} MB/s" + (f", {missing} missing" if missing else "")
            progress.update(task, advance=1, note=note)
            if not console.is_terminal and (done % LINE_EVERY == 0 or done == total):
                say(f"{description}: {done} of {total} {unit} in {seconds:.0f} s, {note}")


def prepare_tfds(config: TfdsConfig) -> None:
    """Builds a TFDS data set and prints what it holds and what was left out."""
    from kerastrash.data.tfds_build import build_set  # loads tensorflow_datasets, a second of imports
    from kerastrash.data.tfds_read import read_tfds

    name, new = build_set(config.data, config.name, track)
    if not new:
        say(f"{name}: built before from the same data, stays as it is")
    folder = config.data.tfds_folder
    source = read_tfds(name, folder)
    counts = Counter((crop.label, crop.split) for crop in source.crops)
    rows = [[each, *(str(counts[label, split]) for split in SPLITS)] for label, each in enumerate(source.classes)]
    rows.append(["all", *(str(sum(crop.split == split for crop in source.crops)) for split in SPLITS)])
    results().print(PlainTable(("class", *SPLITS), rows, text=("class",), title=f"{source.name}: crops by class"))
    if source.left_out:
        results().print(left_out_table(by_reason(source.left_out)))
    written(f"--data {TFDS}{name}", f" --tfds-folder {folder}")


def check_data(config: CheckConfig) -> int:
    """Prints what was found and writes it as a page; 1 where there is a leak or a conflicting label."""
    report = check(config, track)
    results().print(*check_tables(report), sep="\n")
    page = config.report or Path(f"check-{re.sub(r'[^-.a-zA-Z0-9]+', '_', report.name)}.html")
    write_page(report, page)
    written("Page", f": {page}")
    if config.json:
        write_json(config.json, report.plain())
    if report.unusable:
        raise DataError(report.unusable)
    return 1 if report.failed else 0
