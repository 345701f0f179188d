"""Data sets with one planted fault each: a folder of classes, or a COCO file, of small smooth photographs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerastrash.data.checks import CheckReport, Finding, check
from kerastrash.data.config import CheckConfig, DataConfig

SIZE = (96, 72)


def draw(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with large shapes, as photographs have; of random pixels a perceptual hash says little."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def scene() -> Callable[..., Image.Image]:
    """`scene(seed, size=(96, 72))` -> a photograph, different for every seed."""
    return draw


def draw_classes(folder: Path, count: int, start: int = 0) -> Path:
    """Two classes of so many different photographs each."""
    for name, first in {"can": start, "box": start + 100}.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            draw(first + number).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of six different photographs."""
    return draw_classes(tmp_path / "set", 6)


@pytest.fixture
def split_folder(tmp_path: Path) -> Path:
    """Two classes of three different photographs in each of train, val and test."""
    for split, start in {"train": 0, "val": 200, "test": 400}.items():
        draw_classes(tmp_path / "split" / split, 3, start)
    return tmp_path / "split"


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """Writes a COCO folder of twelve photographs with one box each, after `change` has changed its document."""

    def write(change: Callable[[dict[str, Any]], object] = lambda document: None) -> Path:
        target = tmp_path / "coco"
        (target / "images").mkdir(parents=True)
        classes = [{"id": 0, "name": "can"}, {"id": 1, "name": "box"}]
        document: dict[str, Any] = {"images": [], "annotations": [], "categories": classes}
        document["licenses"] = [{"id": 1, "name": "CC BY 4.0"}]
        for number in range(12):
            draw(number).save(target / "images" / f"{number}.png")
            sides = {"width": SIZE[0], "height": SIZE[1], "license": 1}
            document["images"].append({"id": number, "file_name": f"{number}.png", **sides})
            box = {"bbox": [8, 8, 64, 48], "category_id": number % 2}
            document["annotations"].append({"id": number, "image_id": number, **box})
        change(document)
        (target / "annotations.json").write_text(json.dumps(document))
        return target

    return write


@pytest.fixture
def checked(tmp_path: Path) -> Callable[..., CheckReport]:
    """Checks a set with a cache of its own."""

    def run(data: Path, categories: Path | None = None, **settings: Any) -> CheckReport:
        read = DataConfig(data=str(data), categories=categories, cache=tmp_path / "cache")
        return check(CheckConfig(data=read, input_size=16, **settings))

    return run


@pytest.fixture
def found() -> Callable[[CheckReport], dict[str, Finding]]:
    """The findings of a report by the name of their kind."""
    return lambda report: {str(finding.kind): finding for finding in report.findings}
