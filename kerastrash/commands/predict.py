"""`predict`: a line an image; imports neither Keras nor a backend unless the model's runtime needs it."""

import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from kerastrash.classifier import Classifier, Prediction
from kerastrash.commands.settings import PredictConfig
from kerastrash.console import results, say
from kerastrash.data.images import MAX_BYTES, ImageError
from kerastrash.data.sources import IMAGE_SUFFIXES
from kerastrash.errors import DataError

STANDARD_INPUT = "-"
HEAD = 16
"""Bytes that tell an image from a list of paths: a path holds no NUL, an image has one among its first."""


def predict(config: PredictConfig) -> int:
    """Classifies images and prints each answer when it is there; 1 where some could not be read."""
    images = [path for name in config.images for path in named_images(name)]
    classifier = Classifier(config.model, config.classes, config.threads)
    width = max((cell_len(shown(str(path))) for path in images), default=0)
    answered, unreadable = 0, []

    def pass_over(error: ImageError) -> None:
        unreadable.append(error)
        say(str(error))

    every = itertools.chain(images, standard_input() if config.stdin else ())
    for prediction in classifier.stream(every, pass_over, batch=1):
        show(prediction, config, width)
        answered += 1
    return status(answered, len(unreadable), config)


def status(answered: int, unreadable: int, config: PredictConfig) -> int:
    """0 or 1, having said how many could not be read; raises DataError where none could."""
    offered = answered + unreadable
    if not answered:
        names = ", ".join([*config.images, *([STANDARD_INPUT] if config.stdin else [])])
        raise DataError(f"{names}: not one of {offered} images could be read; see above")
    if unreadable:
        say(f"{unreadable} of {offered} images could not be read")
    return 1 if unreadable else 0


def named_images(name: str) -> list[Path]:
    """The file, or the images of the folder.

    Raises:
        DataError: nothing is there.
    """
    path = Path(name)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path of the images")
    found = sorted(images_below(path)) if path.is_dir() else [path]
    if not found:
        raise DataError(f"{path}: holds no image; give a folder with {', '.join(sorted(IMAGE_SUFFIXES))} files")
    return found


def images_below(folder: Path) -> Iterator[Path]:
    """The images of a folder at any depth, hidden ones left out."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); give a folder that this user may read")

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in files if not name.startswith("."))
        yield from (path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES)


def standard_input() -> Iterable[Path | bytes]:
    """The bytes of one image, or the paths that are written there, a line each, as they come.

    Raises:
        DataError: nothing comes, or an image of more than MAX_BYTES.
    """
    head = sys.stdin.buffer.peek(HEAD)[:HEAD]
    if not head:
        raise DataError("standard input: file is empty; give the bytes of an image, or paths of images, a line each")
    if b"\0" in head or head.startswith(b"GIF8"):
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DataError(f"standard input: more than {MAX_BYTES // 2**20} MiB; give one image")
        return [data]
    lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer)
    return (path for line in lines if line for path in (named_images(line) if Path(line).is_dir() else [Path(line)]))


def show(prediction: Prediction, config: PredictConfig, width: int) -> None:
    """Prints one answer, its name filled up to `width` cells."""
    output, image = results(), prediction.image or STANDARD_INPUT
    if config.json:
        output.out(json.dumps(asdict(prediction) | {"image": image}), highlight=False)
    else:
        name = shown(image)
        label_width = max(map(cell_len, prediction.probabilities))
        line = Text(set_cell_size(name, max(width, cell_len(name))))
        for label, probability in list(prediction.probabilities.items())[: config.top]:
            line.append(f"  {set_cell_size(label, label_width)}", style="bold")
            line.append(f"  {probability:.4f}", style="green" if probability >= 0.5 else "yellow")
        output.print(line, soft_wrap=True)
    sys.stdout.flush()


def shown(name: str) -> str:
    """The name in one line that every terminal takes: line breaks and bytes that are no text are written as escapes."""
    return name if name.isprintable() else ascii(name)[1:-1]
