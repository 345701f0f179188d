"""Images a second of the data pipeline alone, no model, beside a plain PyTorch loader, in turns on one machine.

python scripts/benchmarks/loader.py --data DIR --peer FOLDER --peer-python FOLDER/bin/python

The peer is a folder with a `train_peer.py` that has `split`, `Folder`, `SquarePad` and torchvision's transforms: it
decodes, pads, resizes and augments every photograph in every epoch, in worker processes. DIR is a folder of classes,
divided as the peer does it: every fifth photograph of a class is for validation. The first epoch is timed with its
validation pass and, here, with the decoding of every photograph; the later ones are the training pass alone.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

os.environ.setdefault("KERAS_BACKEND", "torch")

from rich.table import Table

from kerastrash.cli import script
from kerastrash.console import console, results
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError
from kerastrash.runs import processor_name
from kerastrash.training.batches import CropBatches
from kerastrash.training.feeding import evaluation_batches, training_batches
from kerastrash.training.recipe import Recipe

PEER = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from train_peer import *

def passes(data, size, batch, workers):
    end = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    start = [SquarePad(), v2.Resize((size, size))]
    augmented = v2.Compose([*start, v2.RandAugment(2), v2.RandomHorizontalFlip(), *end])
    _, train, val = split(data)
    train = DataLoader(Folder(train, augmented), batch, shuffle=True, num_workers=workers, drop_last=True,
                       persistent_workers=True)
    return train, DataLoader(Folder(val, v2.Compose([*start, *end])), batch, num_workers=workers)

def main(data, size, batch, workers, epochs):
    train, val = passes(data, size, batch, workers)
    rates = []
    for epoch in range(epochs):
        started = time.perf_counter()
        seen = sum(len(labels) for _, labels in train)
        if not epoch:
            seen += sum(len(labels) for _, labels in val)
        rates.append(seen / (time.perf_counter() - started))
    print(json.dumps(rates))

if __name__ == "__main__":
    main(sys.argv[2], *map(int, sys.argv[3:]))
"""


@dataclass(frozen=True, kw_only=True)
class LoaderBenchmark:
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
    """Processes, ours and the peer's."""
    epochs: int = 4
    """Epochs a turn."""
    turns: int = 3
    """How often the two are run, one after the other."""
    data: DataConfig = field(default_factory=DataConfig)
    """A folder of class folders."""


def main(config: LoaderBenchmark) -> None:
    """Time the data pipeline, from files to augmented batches, against a plain PyTorch loader."""
    rates: dict[str, list[list[float]]] = {"peer": [], "kerastrash": []}
    _warm_the_file_cache(Path(config.data.data))
    for turn in range(config.turns):
        rates["peer"].append(_peer_rates(config))
        rates["kerastrash"].append(_our_rates(config))
        console.print(f"turn {turn + 1} of {config.turns} done", highlight=False)
    _print(config, {name: _summary(turns) for name, turns in rates.items()})


def _warm_the_file_cache(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()


def _peer_rates(config: LoaderBenchmark) -> list[float]:
    settings = (config.input_size, config.batch_size, config.workers, config.epochs)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "loader.py")
        program.write_text(PEER)
        command = [config.peer_python, program, config.peer, config.data.data, *map(str, settings)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(f"{config.peer}: the peer's loader failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _our_rates(config: LoaderBenchmark) -> list[float]:
    work = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        data = _divided_as_the_peer_does(Path(config.data.data), work / "data")
        recipe = Recipe(batch_size=config.batch_size, workers=config.workers, feeding="disk")
        rates = []
        started = time.perf_counter()
        dataset = prepare(replace(config.data, data=str(data), cache=work / "cache"), config.input_size)
        train = training_batches(dataset, recipe)
        for epoch in range(config.epochs):
            train.set_epoch(epoch)
            seen = _passed(train)
            if not epoch:
                seen += sum(_passed(evaluation_batches(dataset, name, recipe)) for name in ("val", "test"))
            rates.append(seen / (time.perf_counter() - started))
            started = time.perf_counter()
        return rates
    finally:
        shutil.rmtree(work)


def _passed(batches: CropBatches) -> int:
    return sum(len(batches[number][1]) for number in range(len(batches)))


def _divided_as_the_peer_does(folder: Path, target: Path) -> Path:
    """Links the photographs into train, val and test; the last two share what the peer validates on."""
    for class_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        for place, path in enumerate(sorted(class_folder.glob("*.jp*g"))):
            side = ("val", "test")[place // 5 % 2] if place % 5 == 0 else "train"
            link = target / side / class_folder.name / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    return target


def _summary(turns: list[list[float]]) -> tuple[float, float]:
    """First epoch and later ones, images a second, medians over the turns."""
    return median(rates[0] for rates in turns), median(rate for rates in turns for rate in rates[1:])


def _print(config: LoaderBenchmark, summary: dict[str, tuple[float, float]]) -> None:
    title = f"images a second, {config.input_size} px, {config.workers} workers, {processor_name()}"
    table = Table("epoch", *summary, "ratio")
    for place, name in enumerate(("first, with validation", "from the second on")):
        peer, ours = summary["peer"][place], summary["kerastrash"][place]
        table.add_row(name, f"{peer:.0f}", f"{ours:.0f}", f"{ours / peer:.2f}")
    results().print(title, table, highlight=False)


if __name__ == "__main__":
    script(main)
