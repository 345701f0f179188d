"""Images a second of the data pipeline alone, no model, beside a plain PyTorch loader, in turns on one machine.

python scripts/benchmark_loader.py --data DIR --peer FOLDER --peer-python FOLDER/bin/python

The peer is a folder with a `train_peer.py` that has `split`, `Folder`, `SquarePad` and torchvision's transforms: it
decodes, pads, resizes and augments every photograph in every epoch, in worker processes.
"""

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from rich.table import Table

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.backends.processor import processor_name
from kerastrash.cli import part_of, run
from kerastrash.console import console, results
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError
from kerastrash.training.feeding import training_batches
from kerastrash.training.recipe import Recipe

PEER = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from train_peer import *

def main(data, size, batch, workers, epochs):
    transform = v2.Compose([SquarePad(), v2.Resize((size, size)), v2.RandAugment(2), v2.RandomHorizontalFlip(),
                            v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    images = Folder(split(data)[1], transform)
    loader = DataLoader(images, batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=True)
    rates = []
    for epoch in range(epochs):
        started, seen = time.perf_counter(), 0
        for pixels, labels in loader:
            seen += len(labels)
        rates.append(seen / (time.perf_counter() - started))
    print(json.dumps(rates))

if __name__ == "__main__":
    main(sys.argv[2], *map(int, sys.argv[3:]))
"""


@dataclass(frozen=True, kw_only=True)
class LoaderConfig(DataConfig):
    """What is timed, and what it is compared with."""

    peer: Path
    """Folder of the peer's train_peer.py."""
    peer_python: Path
    """Python of the peer's environment."""
    input_size: int = 96
    """Side of the crops in pixels."""
    batch_size: int = 64
    """Images a batch."""
    workers: int = 2
    """Our threads, and the peer's processes."""
    epochs: int = 4
    """Epochs a turn."""
    turns: int = 3
    """How often the two are run, one after the other."""


def main(config: LoaderConfig) -> None:
    """Time the data pipeline, from files to augmented batches, against a plain PyTorch loader."""
    rates: dict[str, list[list[float]]] = {"peer": [], "kerastrash": []}
    _warm_the_file_cache(Path(config.data))
    for turn in range(config.turns):
        rates["peer"].append(_peer_rates(config))
        rates["kerastrash"].append(_our_rates(config))
        console.print(f"turn {turn + 1} of {config.turns} done", highlight=False)
    _print(config, {name: _summary(turns) for name, turns in rates.items()})


def _warm_the_file_cache(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()


def _peer_rates(config: LoaderConfig) -> list[float]:
    settings = (config.input_size, config.batch_size, config.workers, config.epochs)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "loader.py")
        program.write_text(PEER)
        command = [config.peer_python, program, config.peer, config.data, *map(str, settings)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(f"{config.peer}: the peer's loader failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _our_rates(config: LoaderConfig) -> list[float]:
    """Images a second of each epoch; the first one includes decoding every crop of the set into a new cache."""
    cache = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        started = time.perf_counter()
        dataset = prepare(replace(part_of(DataConfig, config), cache=cache), config.input_size)
        batches = training_batches(
            dataset, Recipe(batch_size=config.batch_size, workers=config.workers, feeding="disk")
        )
        rates = []
        for epoch in range(config.epochs):
            batches.set_epoch(epoch)
            seen = sum(len(batches[number][1]) for number in range(len(batches)))
            rates.append(seen / (time.perf_counter() - started))
            started = time.perf_counter()
        return rates
    finally:
        shutil.rmtree(cache)


def _summary(turns: list[list[float]]) -> tuple[float, float]:
    """First epoch and later ones, images a second, medians over the turns."""
    return median(rates[0] for rates in turns), median(rate for rates in turns for rate in rates[1:])


def _print(config: LoaderConfig, summary: dict[str, tuple[float, float]]) -> None:
    title = f"{config.data}, {config.input_size} px, {config.workers} workers, {processor_name()}: images a second"
    table = Table("epoch", *summary, "ratio", title=title, title_justify="left")
    for place, name in enumerate(("first, decoding included", "from the second on")):
        peer, ours = summary["peer"][place], summary["kerastrash"][place]
        table.add_row(name, f"{peer:.0f}", f"{ours:.0f}", f"{ours / peer:.2f}")
    results().print(table)


if __name__ == "__main__":
    run(main)
