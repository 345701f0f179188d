"""Classifies images by a model file of any format: a line an image with its class and probability.

python scripts/predict.py runs/NAME/best.onnx photographs/ --top 2
python scripts/predict.py best.tflite a.jpg b.jpg --json
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.text import Text

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.classifier import Classifier, Prediction
from kerastrash.cli import run
from kerastrash.console import console, results, track
from kerastrash.data.folder import IMAGE_SUFFIXES
from kerastrash.data.images import MAX_BYTES, ImageError
from kerastrash.errors import DataError, require

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class PredictConfig:
    """Which model classifies which images, and what is printed."""

    model: Path
    """A .keras, .onnx, .xml (OpenVINO), .tflite or .pt2 file, or the folder of a SavedModel."""
    images: list[str]
    """Images, folders of images at any depth, - for one image's bytes on standard input."""
    top: int = 1
    """Print so many of the most probable classes."""
    json: bool = False
    """Print a JSON object a line instead, with the probabilities of all classes."""
    classes: tuple[str, ...] | None = None
    """Names of the model's outputs, as [A,B,...]; left out, those in the file or in MODEL.json beside it."""
    threads: int = 1
    """Processor threads."""

    def __post_init__(self) -> None:
        require(self.top >= 1, "top", self.top, "must be at least 1")
        require(self.threads >= 1, "threads", self.threads, "must be at least 1")
        require(bool(self.images), "images", self.images, "names no image: give a file, a folder or -")


def main(config: PredictConfig) -> int:
    """Classify images: MODEL IMAGE.... Exit status 1 where some could not be read, 2 where none could."""
    images = [image for name in config.images for image in _images(name)]
    classifier = Classifier(config.model, config.classes, config.threads)
    unreadable: list[ImageError] = []
    reading = track(images, "classified", "images") if len(images) > 1 else images
    predictions = list(classifier.stream(reading, unreadable.append))
    _print(predictions, config)
    for error in unreadable:
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
    if not predictions:
        raise DataError(f"{', '.join(config.images)}: not one of {len(images)} images could be read; see above")
    if unreadable:
        console.print(f"{len(unreadable)} of {len(images)} images could not be read", highlight=False)
    return 1 if unreadable else 0


def _images(name: str) -> list[Path] | list[bytes]:
    if name == STANDARD_INPUT:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DataError(f"standard input: more than {MAX_BYTES // 2**20} MiB; give one image")
        return [data]
    path = Path(name)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path of the images")
    found = sorted(_below(path)) if path.is_dir() else [path]
    if not found:
        raise DataError(f"{path}: holds no image; give a folder with {', '.join(sorted(IMAGE_SUFFIXES))} files")
    return found


def _below(folder: Path) -> Iterator[Path]:
    """The images of a folder at any depth, hidden ones left out."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); give a folder that this user may read")

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in files if not name.startswith("."))
        yield from (path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES)


def _print(predictions: Sequence[Prediction], config: PredictConfig) -> None:
    output = results()
    if config.json:
        for prediction in predictions:
            output.out(json.dumps(asdict(prediction) | {"image": prediction.image or STANDARD_INPUT}), highlight=False)
        return
    names = [_shown(prediction.image or STANDARD_INPUT) for prediction in predictions]
    width = max(map(cell_len, names), default=0)
    label_width = max(
        (cell_len(label) for prediction in predictions[:1] for label in prediction.probabilities), default=0
    )
    for name, prediction in zip(names, predictions, strict=True):
        line = Text(set_cell_size(name, width))
        for label, probability in list(prediction.probabilities.items())[: config.top]:
            line.append(f"  {set_cell_size(label, label_width)}", style="bold")
            line.append(f"  {probability:.4f}", style="green" if probability >= 0.5 else "yellow")
        output.print(line, soft_wrap=True)


def _shown(name: str) -> str:
    """The name in one line that every terminal takes: line breaks and bytes that are no text are written as escapes."""
    return name if name.isprintable() else ascii(name)[1:-1]


if __name__ == "__main__":
    run(main)
