"""Reads a data set, decodes its crops into the cache and prints what it holds and what was left out."""

from collections import Counter
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kerastrash.cli import run
from kerastrash.console import console, results, track
from kerastrash.data import DataConfig, Source, prepare, print_summary
from kerastrash.data.dataset import TFDS
from kerastrash.data.download import prepare_taco
from kerastrash.data.records import SPLITS, by_reason

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
    print_summary(prepare(config, config.input_size))


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
    run(main, commands={"taco": prepare_taco, "tfds": prepare_tfds})
