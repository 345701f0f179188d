"""How fast crops reach a net, and what that takes of memory.

python scripts/benchmarks/feeding.py loader --data DIR --peer FOLDER --peer-python FOLDER/bin/python
python scripts/benchmarks/feeding.py augmentation --data DIR --input-size 156 --batch-size 256 --turns 5
python scripts/benchmarks/feeding.py augmentation --data DIR --input-size 88 --picture docs/augmentation.png
python scripts/benchmarks/feeding.py memory --data DIR --input-size 156 --crops 100000

`loader`: the pipeline alone, no model, beside a plain PyTorch loader that decodes, pads, resizes and augments every
photograph in every epoch. The peer is a folder with a `train_peer.py` that has `split`, `Folder`, `SquarePad` and
torchvision's transforms. DIR is a folder of classes, divided as the peer does it. The first epoch is timed with its
validation pass and, here, with the decoding of every photograph; the later ones are the training pass alone.
`augmentation`: from the indices of crops that lie on the device to the augmented tensor, the host's draws included.
`memory`: the peak of a large set, random boxes on the photographs below DIR; Linux, 7.5 GB of disk.
"""

import itertools
import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from PIL import Image
from turns import answer, in_turns, show

from kerastrash.augment import Augmentation
from kerastrash.cli import script
from kerastrash.console import results, written
from kerastrash.data import DataConfig, open_source, prepare, read_crop
from kerastrash.data.sources import IMAGE_SUFFIXES
from kerastrash.errors import ConfigError
from kerastrash.models import build_model
from kerastrash.models.layers import Conv, Pool
from kerastrash.reports.sheets import draw_operations
from kerastrash.training.batches import CropBatches
from kerastrash.training.feeding import DeviceBatches, evaluation_batches, training_batches
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

PEER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from train_peer import *

def main(data, size, batch, workers, epochs):
    end = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    start = [SquarePad(), v2.Resize((size, size))]
    augmented = v2.Compose([*start, v2.RandAugment(2), v2.RandomHorizontalFlip(), *end])
    _, train, val = split(data)
    train = DataLoader(Folder(train, augmented), batch, shuffle=True, num_workers=workers, drop_last=True,
                       persistent_workers=True)
    val = DataLoader(Folder(val, v2.Compose([*start, *end])), batch, num_workers=workers)
    for epoch in range(epochs):
        started = time.perf_counter()
        passes = [train] if epoch else [train, val]
        seen = sum(len(labels) for each in passes for _, labels in each)
        print(seen / (time.perf_counter() - started))

if __name__ == "__main__":
    main(sys.argv[2], *map(int, sys.argv[3:]))
"""
# So small a net that what is measured is the feeding.
TINY = (Conv(4, kernel=3, stride=2), Conv(8, kernel=3, stride=2), Conv(16, kernel=3, stride=2), Pool())
CLASSES = 6


@dataclass(frozen=True, kw_only=True)
class FeedingBenchmark:
    """What is measured, and what it is compared with."""

    what: Literal["loader", "augmentation", "memory"]
    """The pipeline beside a plain PyTorch loader, the two forms of augmentation, or the memory of a large set."""
    peer: Path = Path("peer")
    """Folder of the peer's train_peer.py."""
    peer_python: Path = Path("peer/bin/python")
    """Python of the peer's environment."""
    input_size: int = 96
    """Side of the crops in pixels."""
    batch_size: int = 64
    """Images a batch."""
    workers: int = 2
    """Processes, ours and the peer's."""
    epochs: int = 4
    """Epochs a turn of the loader."""
    batches: int = 20
    """Batches a turn of augmentation."""
    n_select: int = 2
    """RandAugment operations of each image."""
    turns: int = 3
    """How often each way is run, one after the other."""
    picture: Path | None = None
    """In place of the times of augmentation: every operation in both forms on one crop of each class, a .png file."""
    crops: int = 100_000
    """Boxes drawn at random for the large set, equally many on each photograph."""
    data: DataConfig = field(default_factory=DataConfig)
    """The photographs."""


def main(config: FeedingBenchmark) -> None:
    """Time the data pipeline and augmentation, or measure the memory of a large set."""
    {"loader": loader, "augmentation": augmentation, "memory": memory}[config.what](config)


def loader(config: FeedingBenchmark) -> None:
    """Times the pipeline, from files to augmented batches, against a plain PyTorch loader."""
    for path in filter(Path.is_file, Path(config.data.data).rglob("*")):
        path.read_bytes()  # now they all lie in the system's cache
    found = in_turns({"peer": partial(_peer_rates, config), "kerastrash": partial(_our_rates, config)}, config.turns)
    title = f"{config.input_size} px, {config.workers} workers"
    show(f"first epoch, with validation: {title}", {name: [turn[0] for turn in found[name]] for name in found}, "peer")
    later = {name: list(itertools.chain(*(turn[1:] for turn in found[name]))) for name in found}
    show(f"from the second epoch on: {title}", later, "peer")


def _peer_rates(config: FeedingBenchmark) -> list[float]:
    settings = (config.input_size, config.batch_size, config.workers, config.epochs)
    with tempfile.TemporaryDirectory() as folder:
        (program := Path(folder, "loader.py")).write_text(PEER)
        printed = answer([config.peer_python, "-B", program, config.peer, config.data.data, *settings])
    return [float(rate) for rate in printed.split()]


def _our_rates(config: FeedingBenchmark) -> list[float]:
    recipe, rates = Recipe(batch_size=config.batch_size, workers=config.workers, feeding="disk"), []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as work:
        data = _divided_as_the_peer_does(Path(config.data.data), Path(work, "data"))
        started = time.perf_counter()
        dataset = prepare(replace(config.data, data=str(data), cache=Path(work, "cache")), config.input_size)
        batches = training_batches(dataset, recipe)
        for epoch in range(config.epochs):
            batches.set_epoch(epoch)
            further = () if epoch else ("val", "test")
            passes = [batches, *(evaluation_batches(dataset, name, recipe) for name in further)]
            seen = sum(len(each[number][1]) for each in passes for number in range(len(each)))
            rates.append(seen / (time.perf_counter() - started))
            started = time.perf_counter()
    return rates


def _divided_as_the_peer_does(folder: Path, target: Path) -> Path:
    """Links the photographs into train, val and test; the last two share each fifth, which the peer validates on."""
    for class_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        for place, path in enumerate(sorted(class_folder.glob("*.jp*g"))):
            split = "train" if place % 5 else ("val", "test")[place // 5 % 2]
            link = target / split / class_folder.name / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    return target


def augmentation(config: FeedingBenchmark) -> None:
    """Times the two forms of augmentation; or draws each operation on the crop in the middle of each class."""
    if config.picture:
        source = open_source(config.data)
        members = [[crop for crop in source.crops if crop.label == label] for label in range(len(source.classes))]
        crops = [read_crop(crops[len(crops) // 2], config.input_size) for crops in members if crops]
        draw_operations(crops, config.picture)
        written(config.picture, " is drawn")
        return
    show(*augmentation_rates(config))


def augmentation_rates(config: FeedingBenchmark) -> tuple[str, dict[str, list[float]], str]:
    """Images a second of the two forms of augmentation, in turns, between a title and the form to compare with."""
    part = prepare(config.data, config.input_size).split("train")
    change, ways = Augmentation(n_select=config.n_select), {}
    for name, kind in (("Pillow, one thread", CropBatches), ("on the device", DeviceBatches)):
        data = kind(part.images, part.indices, part.labels, config.batch_size, change, sampler="shuffle")
        ways[name] = partial(_augmented_a_second, data, itertools.count(), config.batches)
        ways[name]()  # what is done once
    title = f"augmentation: {config.input_size} px, batch {config.batch_size}"
    return title, in_turns(ways, config.turns), "Pillow, one thread"


def _augmented_a_second(data: CropBatches, epochs: itertools.count, batches: int) -> float:
    """Images a second of some batches, of an epoch of their own."""
    started, seen = time.perf_counter(), 0
    for made in range(batches):
        if made % len(data) == 0:
            data.set_epoch(next(epochs))
        seen += len(images := data[made % len(data)][0])
    keras.ops.convert_to_numpy(images[0, 0, 0])  # what is still under way on the device has then come to its end
    return seen / (time.perf_counter() - started)


def memory(config: FeedingBenchmark) -> None:
    """Measures the peak resident memory of preparing a large set and training on it for an epoch."""
    peak = PeakMemory()
    peak.show("packages imported")
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=".") as work:
        annotations = _write_annotations(config, Path(work, "annotations.json"))
        data = DataConfig(data=str(annotations), images=Path(config.data.data), cache=Path(work, "cache"))
        dataset = prepare(data, config.input_size)
        peak.show(f"{len(dataset.crops):,} crops prepared ({dataset.images.nbytes / 1e9:.1f} GB)")
        recipe = Recipe(epochs=1, batch_size=config.batch_size, workers=config.workers, feeding="disk")
        training = train(partial(build_model, TINY, config.input_size, CLASSES), dataset, recipe, Path(work, "run"))
        peak.show(f"one epoch trained, {training.images_per_second:.0f} images/s")


class PeakMemory:
    """The peak resident memory of this process and its children together, in kB, looked at 5 times a second."""

    def __init__(self) -> None:
        self._peak = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def show(self, what: str) -> None:
        """Prints the peak since the last call."""
        peak, self._peak = max(self._peak, self._now()), 0
        results().print(f"{peak / 1e6:.2f} GB  {what}", highlight=False)

    def _watch(self) -> None:
        while True:
            self._peak = max(self._peak, self._now())
            time.sleep(0.2)

    def _now(self) -> int:
        return sum(map(int, answer(["ps", "-o", "rss=", "--pid", os.getpid(), "--ppid", os.getpid()]).split()))


def _write_annotations(config: FeedingBenchmark, path: Path) -> Path:
    photographs = Path(config.data.data)
    paths = sorted(path for path in photographs.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise ConfigError(f"{photographs}: holds no photograph; give a folder of images")
    rng, images, boxes = np.random.default_rng(0), [], []
    for number, photograph in enumerate(paths):
        with Image.open(photograph) as image:
            size = image.size
        images.append({"id": number, "file_name": str(photograph.relative_to(photographs))})
        for _ in range(-(-config.crops // len(paths))):
            sides = rng.uniform(0.05, 0.5, 2) * size
            box = [*(rng.uniform(0, 1, 2) * (size - sides)).tolist(), *sides.tolist()]
            category = int(rng.integers(CLASSES))
            boxes.append({"id": len(boxes), "image_id": number, "category_id": category, "bbox": box})
    categories = [{"id": number, "name": f"class {number}"} for number in range(CLASSES)]
    path.write_text(json.dumps({"images": images, "annotations": boxes[: config.crops], "categories": categories}))
    return path


if __name__ == "__main__":
    script(main)
