"""Reads a data set, decodes its crops into the cache and prints what it holds and what was left out."""

from dataclasses import dataclass

from kerastrash.cli import run
from kerastrash.data import DataConfig, prepare, print_summary
from kerastrash.data.download import prepare_taco
from kerastrash.data.tfds.command import build_tfds


@dataclass(frozen=True)
class PrepareConfig(DataConfig):
    """Decode a data set into the cache and print its summary."""

    input_size: int = 96
    """Side of the square crops, in pixels."""


def main(config: PrepareConfig) -> None:
    """Prepares the data set and prints its summary."""
    print_summary(prepare(config, config.input_size))


if __name__ == "__main__":
    run(main, commands={"taco": prepare_taco, "tfds": build_tfds})
