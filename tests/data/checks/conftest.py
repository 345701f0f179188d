"""Data sets with one planted fault each: a folder of classes, or a COCO file, of small smooth photographs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerastrash.data.checks import CheckReport, Finding, check
from kerastrash.data.config import CheckConfig, DataConfig

SIZE = (96, 72)


@pytest.fixture
def folder(class_folders) -> Path:
    """Two classes of six different photographs."""
    return class_folders(can=6, box=6)


@pytest.fixture
def split_folder(class_folders) -> Path:
    """Two classes of three different photographs in each of train, val and test."""
    return class_folders(**{f"{split}/{name}": 3 for split in ("train", "val", "test") for name in ("can", "box")})


@pytest.fixture
def coco(coco, draw, tmp_path: Path) -> Callable[..., Path]:
    """Writes a COCO folder of twelve photographs with one box each, after `change` has changed its document."""

    def write(change: Callable[[dict[str, Any]], object] = lambda document: None) -> Path:
        document: dict[str, Any] = {"images": [], "annotations": [], "licenses": [{"id": 1, "name": "CC BY 4.0"}]}
        document["categories"] = [{"id": 0, "name": "can"}, {"id": 1, "name": "box"}]
        for number in range(12):
            draw(tmp_path / "images" / f"{number}.png", number, SIZE)
            sides = {"width": SIZE[0], "height": SIZE[1], "license": 1}
            document["images"].append({"id": number, "file_name": f"{number}.png", **sides})
            box = {"bbox": [8, 8, 64, 48], "category_id": number % 2}
            document["annotations"].append({"id": number, "image_id": number, **box})
        change(document)
        return coco(**document).parent

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
