"""Reads a data set, decodes its crops into the cache and prints what it holds and what was left out."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kerastrash.cli import run
from kerastrash.console import console, progress_bar, results
from kerastrash.data import DataConfig, prepare, print_summary
from kerastrash.data.download import Download
from kerastrash.data.taco import MISSING, TacoConfig, prepare_taco
from kerastrash.data.tfds.command import build_tfds
from kerastrash.reports.data_tables import account_table, missing_table

LINE_EVERY = 100
"""Photographs between two lines of progress where there is no terminal for a bar."""


@dataclass(frozen=True)
class PrepareConfig(DataConfig):
    """Decode a data set into the cache and print its summary."""

    input_size: int = 96
    """Side of the square crops, in pixels."""


def main(config: PrepareConfig) -> None:
    """Prepares the data set and prints its summary."""
    print_summary(prepare(config, config.input_size))


def taco(config: TacoConfig) -> None:
    """Fetches TACO's photographs from the addresses in its annotation files and cuts their crops; resumable."""
    prepared = prepare_taco(config, with_bar)
    print_summary(prepared.dataset)
    if prepared.missing:
        results().print(missing_table(prepared.missing, prepared.photographs, config.folder / MISSING))
    results().print(account_table(prepared.account))


def with_bar(ended: Iterable[Download], total: int, before: int) -> Iterator[Download]:
    """Passes the photographs on under a bar with count, rate, time left and the bytes that came."""
    started, received, done, missing = time.perf_counter(), 0, before, 0
    with progress_bar() as progress:
        task = progress.add_task("fetch", total=total, completed=before, unit="photographs", note="")
        for download in ended:
            yield download
            done += 1
            missing += bool(download.reason)
            received += 0 if download.reason else download.path.stat().st_size
            seconds = time.perf_counter() - started
            note = f"{received / 1e6 / seconds:.1f} MB/s" + (f", {missing} missing" if missing else "")
            progress.update(task, advance=1, note=note)
            if not console.is_terminal and (done % LINE_EVERY == 0 or done == total):
                console.print(f"fetch: {done} of {total} photographs in {seconds:.0f} s, {note}", highlight=False)


if __name__ == "__main__":
    run(main, commands={"taco": taco, "tfds": build_tfds})
