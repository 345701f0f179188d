"""Small photographs and annotation files for the tests of the data package."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerastrash.data import DataConfig

TACO = Path(__file__).parent / "taco"


@pytest.fixture(scope="session")
def official_taco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TACO's official annotation file, without its images: 4,784 annotations of 1,500."""
    return unpacked("official", tmp_path_factory)


@pytest.fixture(scope="session")
def photographed_taco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotations of 258 images of TACO, without the images: 747 annotations."""
    return unpacked("photographed", tmp_path_factory)


def unpacked(name: str, folders: pytest.TempPathFactory) -> Path:
    path = folders.mktemp("taco") / "annotations.json"
    path.write_bytes(gzip.decompress((TACO / f"{name}.json.gz").read_bytes()))
    return path


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Writes a photograph of random pixels, different for every seed, and returns its path."""

    def write(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30), **options: Any) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """Writes an annotation file of two classes on one image of 40 x 30, any of its lists replaced."""

    def write(**replaced: Any) -> Path:
        document: dict[str, Any] = {
            "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
            "categories": [{"id": 1, "name": "can"}, {"id": 2, "name": "bottle"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 3, 10, 8]},
                {"id": 2, "image_id": 1, "category_id": 2, "bbox": [20, 3, 10, 8]},
            ],
        }
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps(document | replaced))
        return path

    return write


@pytest.fixture
def class_folders(tmp_path: Path, draw: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a folder of class folders with so many photographs each, all different."""

    def write(**counts: int) -> Path:
        folder = tmp_path / "photographs"
        for name, count in counts.items():
            for index in range(count):
                draw(folder / name / f"{index}.png", seed=hash_free_seed(name, index))
        return folder

    def hash_free_seed(name: str, index: int) -> int:
        return sum(map(ord, name)) * 1000 + index

    return write


PHOTOGRAPHS = 14


@pytest.fixture
def annotations(coco, draw, tmp_path: Path) -> Path:
    """An annotation file of 28 boxes of two classes on 14 photographs."""
    images, boxes = [], []
    for number in range(PHOTOGRAPHS):
        path = draw(tmp_path / f"{number}.png", seed=number)
        images.append({"id": 100 + number, "file_name": path.name, "width": 40, "height": 30, "license": number % 2})
    for number in range(2 * PHOTOGRAPHS):
        box = [1.1, number % 3, 9.3 + number % 5, 8 + number % 7]
        boxes.append({"id": number, "image_id": 100 + number // 2, "category_id": 1 + number % 2, "bbox": box})
    boxes[3]["area"] = 51.7
    return coco(images=images, annotations=boxes, licenses=[{"id": 1, "name": "CC BY 4.0"}])


@pytest.fixture
def config(annotations: Path, tmp_path: Path) -> DataConfig:
    """The annotated set, of which TFDS sets are built in the folder `tfds`."""
    return DataConfig(data=str(annotations), tfds_folder=tmp_path / "tfds", cache=tmp_path / "cache")


@pytest.fixture
def built(config: DataConfig) -> DataConfig:
    """The same, after it has been built as `small`."""
    from kerastrash.data.tfds_build import build_set  # loads tensorflow_datasets, a second of imports

    build_set(config, "small")
    return config
