"""The embedded sample: drawn scenes of the six classes, as images and a COCO file, the door that real data use."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from kerastrash.console import track
from kerastrash.data.drawing import KINDS
from kerastrash.data.drawing.scenes import Drawn, draw_scene
from kerastrash.errors import DataError, FileError
from kerastrash.files import read_json, write_json

VERSION = 1
CLASSES = tuple(KINDS)
SHARES = {"Metal": 0.13, "Paper": 0.22, "Paperpack": 0.09, "Plastic": 0.27, "Plasticbag": 0.23, "Styrofoam": 0.06}
DESCRIPTION = (
    "Litter scenes drawn by a program (kerastrash.data.sample): not photographs. "
    "Scores on them say that the toolkit works, not how well a net sorts real litter."
)


def generate_sample(folder: Path | str, seed: int = 2021, crops: int = 1200) -> Path:
    """Draws a COCO data set of litter scenes under `folder`: images/*.jpg and annotations.json.

    The same seed and number give the same files, however many processors draw. Nothing is done when they are there
    already. The folder appears complete or not at all.

    Args:
        folder: a folder that does not exist, is empty, or holds this very sample.
        seed: of everything drawn.
        crops: number of annotated objects, at least one a class; the classes are as unequal as litter is.

    Returns:
        The path of annotations.json.

    Raises:
        DataError: the folder holds something else, or a sample with other settings.
        FileError: the folder cannot be written.
    """
    folder = Path(folder)
    if crops < len(CLASSES):
        raise DataError(f"crops={crops}: the sample needs at least {len(CLASSES)}, one a class")
    settings = {"version": VERSION, "seed": seed, "crops": crops}
    if _complete(folder, settings):
        return folder / "annotations.json"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
        try:
            _draw_all(partial, settings)
            partial.chmod(0o755)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        if _complete(folder, settings):  # another process was faster
            return folder / "annotations.json"
        reason = error.strerror or error
        raise FileError(f"{folder}: cannot be written ({reason}); free the disk or choose another folder") from error
    return folder / "annotations.json"


def _complete(folder: Path, settings: dict[str, int]) -> bool:
    """Whether this very sample is there; anything else there is an error, nothing there is not."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / "annotations.json").is_file():
        raise DataError(f"{folder}: holds other files and no drawn sample; choose another folder")
    content = read_json(folder / "annotations.json", DataError)
    info = content.get("info") if isinstance(content, dict) else None
    found = info.get("sample") if isinstance(info, dict) else None
    if found != settings:
        raise DataError(f"{folder}: holds {found or 'other data'}, not the sample {settings}; choose another folder")
    return True


def _draw_all(folder: Path, settings: dict[str, int]) -> None:
    (folder / "images").mkdir()
    scenes = list(_plan(settings["seed"], settings["crops"]))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        results = pool.map(lambda scene: _draw_one(folder, settings["seed"], *scene), enumerate(scenes, start=1))
        for image, drawn in track(results, "Drawing the sample", "scenes", total=len(scenes)):
            images.append(image)
            for one in drawn:
                annotations.append(_annotation(len(annotations) + 1, image["id"], one))
    write_json(folder / "annotations.json", _coco(settings, images, annotations))


def _plan(seed: int, crops: int) -> Iterator[tuple[str, ...]]:
    """The class names of each scene's objects: two to seven a scene, the classes in their shares."""
    rng = np.random.default_rng(seed)
    counts = {name: max(1, int(share * crops)) for name, share in SHARES.items()}
    counts["Plastic"] += crops - sum(counts.values())
    names = rng.permutation([name for name, count in counts.items() for _ in range(count)])
    start = 0
    while start < crops:
        end = start + int(rng.integers(2, 8))
        yield tuple(str(name) for name in names[start:end])
        start = end


def _draw_one(folder: Path, seed: int, number: int, names: tuple[str, ...]) -> tuple[dict[str, Any], list[Drawn]]:
    """Draws one scene by the numbers (seed, scene), and writes it; gives its COCO image entry and its objects."""
    rng = np.random.default_rng((seed, number))
    picture, drawn = draw_scene(rng, names)
    file_name = f"images/{number:06d}.jpg"
    picture.save(folder / file_name, quality=int(rng.integers(80, 93)))
    return {"id": number, "file_name": file_name, "width": picture.width, "height": picture.height, "license": 1}, drawn


def _annotation(number: int, image: int, drawn: Drawn) -> dict[str, Any]:
    category = CLASSES.index(drawn.name) + 1
    box = {"bbox": list(drawn.box), "area": drawn.area, "iscrowd": 0}
    return {"id": number, "image_id": image, "category_id": category, **box}


def _coco(settings: dict[str, int], images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "info": {"description": DESCRIPTION, "version": str(VERSION), "year": 2026, "sample": settings},
        "licenses": [{"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name, "supercategory": "Litter"} for number, name in enumerate(CLASSES, start=1)
        ],
    }
