"""Peak resident memory of preparing a large set and training on it for an epoch (Linux).

python scripts/benchmarks/memory.py --photographs DIR --crops 100000 --input-size 156 --folder /tmp/memory

The set is made of random boxes on the photographs of DIR: its classes mean nothing, its size is what counts. Needs
7.5 GB of disk for 100,000 crops at 156 px, which are removed at the end.
"""

import json
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
from PIL import Image

from kerastrash.cli import script
from kerastrash.console import results
from kerastrash.data import DataConfig, prepare
from kerastrash.data.sources import IMAGE_SUFFIXES
from kerastrash.errors import ConfigError
from kerastrash.models import build_model
from kerastrash.models.layers import Conv, Pool
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

CLASSES = 6
ROWS = (Conv(4, kernel=3, stride=2), Conv(8, kernel=3, stride=2), Conv(16, kernel=3, stride=2), Pool())
"""A net so small that what is measured is the feeding."""


@dataclass(frozen=True, kw_only=True)
class MemoryBenchmark:
    """What is measured."""

    photographs: Path
    """Folder of photographs, searched with its sub-folders."""
    crops: int = 100_000
    """Boxes drawn at random, equally many on each photograph."""
    input_size: int = 156
    """Side of the crops in pixels."""
    batch_size: int = 64
    """Images a step."""
    folder: Path = Path("memory-benchmark")
    """Where the set, its cache and the run are put; removed at the end."""


def main(config: MemoryBenchmark) -> None:
    """Measure the peak resident memory of preparing a large set and training on it for an epoch."""
    if config.folder.exists():
        raise ConfigError(f"{config.folder}: stands already and would be removed at the end; choose another --folder")
    config.folder.mkdir(parents=True)
    memory = PeakMemory()
    try:
        peaks = {"packages imported": memory.since_last()}
        annotations = _write_annotations(config)
        data = DataConfig(data=str(annotations), images=config.photographs, cache=config.folder / "cache")
        dataset = prepare(data, config.input_size)
        peaks[f"{len(dataset.crops):,} crops prepared ({dataset.images.nbytes / 1e9:.1f} GB)"] = memory.since_last()
        recipe = Recipe(epochs=1, batch_size=config.batch_size, feeding="disk")
        training = train(lambda: build_model(ROWS, config.input_size, CLASSES), dataset, recipe, config.folder / "run")
        peaks[f"one epoch trained, {training.images_per_second:.0f} images/s"] = memory.since_last()
    finally:
        shutil.rmtree(config.folder)
    for what, peak in peaks.items():
        results().print(f"{peak:.2f} GB  {what}", highlight=False)


class PeakMemory:
    """The peak resident memory of this process and its children together, mapped files included, looked at 5 times a
    second."""

    def __init__(self) -> None:
        self._peak = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def since_last(self) -> float:
        """GB since the last call."""
        peak, self._peak = max(self._peak, self._now()), 0
        return peak / 1e9

    def _watch(self) -> None:
        while True:
            self._peak = max(self._peak, self._now())
            time.sleep(0.2)

    def _now(self) -> int:
        threads = Path("/proc/self/task").iterdir()
        children = [number for thread in threads for number in _read(thread / "children").split()]
        return sum(_resident(number) for number in (os.getpid(), *children))


def _resident(process: int | str) -> int:
    fields = _read(Path(f"/proc/{process}/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended meanwhile
        return ""


def _write_annotations(config: MemoryBenchmark) -> Path:
    paths = sorted(path for path in config.photographs.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise ConfigError(f"{config.photographs}: holds no photograph; give a folder of images")
    rng = np.random.default_rng(0)
    images, boxes = [], []
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            width, height = image.size
        images.append({"id": number, "file_name": str(path.relative_to(config.photographs))})
        for _ in range(-(-config.crops // len(paths))):
            sides = rng.uniform(0.05, 0.5, 2) * (width, height)
            corner = rng.uniform(0, 1, 2) * ((width, height) - sides)
            box = [*corner.tolist(), *sides.tolist()]
            category = int(rng.integers(CLASSES))
            boxes.append({"id": len(boxes), "image_id": number, "category_id": category, "bbox": box})
    categories = [{"id": number, "name": f"class {number}"} for number in range(CLASSES)]
    path = config.folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": boxes[: config.crops], "categories": categories}))
    return path


if __name__ == "__main__":
    script(main)
