"""A small annotated set, and the set built of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerastrash.data.tfds.command import TfdsConfig, build_tfds

PHOTOGRAPHS = 14


@pytest.fixture
def annotations(coco, draw, tmp_path) -> Callable[..., Path]:
    """Writes an annotation file of 28 boxes of two classes on 14 photographs, any of its lists replaced."""

    def write(**replaced: Any) -> Path:
        for number in range(PHOTOGRAPHS):
            draw(tmp_path / f"{number}.png", seed=number)
        images = [
            {"id": 100 + number, "file_name": f"{number}.png", "width": 40, "height": 30, "license": number % 2}
            for number in range(PHOTOGRAPHS)
        ]
        boxes = [
            {"id": n, "image_id": 100 + n // 2, "category_id": 1 + n % 2, "bbox": [1.1, n % 3, 9.3 + n % 5, 8 + n % 7]}
            for n in range(2 * PHOTOGRAPHS)
        ]
        boxes[3]["area"] = 51.7
        return coco(images=images, annotations=boxes, licenses=[{"id": 1, "name": "CC BY 4.0"}], **replaced)

    return write


@pytest.fixture
def config(annotations, tmp_path) -> TfdsConfig:
    """What builds the annotated set as `small` in the folder `tfds`."""
    return TfdsConfig(data=str(annotations()), tfds_folder=tmp_path / "tfds", name="small", cache=tmp_path / "cache")


@pytest.fixture
def built(config) -> TfdsConfig:
    """The same, after it has been built."""
    build_tfds(config)
    return config
