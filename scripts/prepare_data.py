"""Reads a data set, decodes its crops into the cache and prints what it holds and what was left out."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kerastrash.cli import run
from kerastrash.console import console, progress_bar, results, track
from kerastrash.data import DataConfig, Source, prepare
from kerastrash.data.download import WantedPhotograph
from kerastrash.data.records import SPLITS, by_reason
from kerastrash.data.sources import TFDS
from kerastrash.data.taco import MISSING, TacoConfig, prepare_taco
from kerastrash.reports.data_tables import account_table, missing_table, print_summary

LINE_EVERY = 100
"""Photographs between two lines of progress where there is no terminal for a bar."""
NAMED = 2
"""How many left-out items are named for each reason; metadata.json names all."""


@dataclass(frozen=True)
class PrepareConfig(DataConfig):
    """Decode a data set into the cache and print its summary."""

    input_size: int = 96
    """Side of the square crops, in pixels."""


@dataclass(frozen=True)
class TfdsConfig(DataConfig):
    """Build a TFDS data set of the crops, read everywhere as `--data tfds:NAME`."""

    name: str | None = None
    """Name of the set; by default that of the data."""


def main(config: PrepareConfig) -> None:
    """Prepares the data set and prints its summary."""
    print_summary(prepare(config, config.input_size, track))


def taco(config: TacoConfig) -> None:
    """Fetches TACO's photographs from the addresses in its annotation files and cuts their crops; resumable."""
    prepared = prepare_taco(config, track, with_bar)
    print_summary(prepared.dataset)
    if prepared.missing:
        results().print(missing_table(prepared.missing, prepared.photographs, config.folder / MISSING))
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
                console.print(f"{description}: {done} of {total} {unit} in {seconds:.0f} s, {note}", highlight=False)


def prepare_tfds(config: TfdsConfig) -> None:
    """Builds a TFDS data set (array_record) of the crops and prints what it holds and what was left out."""
    from kerastrash.data.tfds_build import build_set  # loads tensorflow_datasets, a second of imports
    from kerastrash.data.tfds_read import read_tfds

    name, new = build_set(config, config.name, track)
    if not new:
        console.print(f"{name}: built before from the same data, stays as it is", soft_wrap=True, markup=False)
    print_source(read_tfds(name, config.tfds_folder))
    option = f"--data {TFDS}{name} --tfds-folder {config.tfds_folder}"
    results().print(option, soft_wrap=True, highlight=False, emoji=False, markup=False)


def print_source(source: Source) -> None:
    """Prints the crops of a source that is split by class and split, and what was left out."""
    counts = Counter((source.classes[crop.label], crop.split) for crop in source.crops)
    table = Table("class", *SPLITS, title=Text(f"{source.name}: crops by class"), title_justify="left")
    for name in source.classes:
        table.add_row(escape(name), *(str(counts[name, split]) for split in SPLITS))
    table.add_row("all", *(str(sum(crop.split == split for crop in source.crops)) for split in SPLITS))
    results().print(table)
    for reason, what in by_reason(source.left_out).items():
        more = f" and {len(what) - NAMED} more" if len(what) > NAMED else ""
        results().print(f"left out: {len(what)} x {reason}: {', '.join(what[:NAMED])}{more}", markup=False, emoji=False)


if __name__ == "__main__":
    run(main, commands={"taco": taco, "tfds": prepare_tfds})
