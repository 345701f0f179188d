"""What a device is asked, which may have neither Keras nor a backend: `predict`, `version` and `doctor`."""

import importlib.util
import itertools
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.text import Text

import kerastrash
from kerastrash.backends import BACKENDS, device_description
from kerastrash.classifier import Classifier, Prediction
from kerastrash.commands.settings import PredictConfig
from kerastrash.console import results, say
from kerastrash.data.images import MAX_BYTES, ImageError
from kerastrash.data.sources import IMAGE_SUFFIXES, visible
from kerastrash.errors import ConfigError, DataError
from kerastrash.export.formats import FORMATS
from kerastrash.reports.tables import PlainTable
from kerastrash.runs import package_versions, processor_name

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
    offered = answered + len(unreadable)
    if not answered:
        names = ", ".join([*config.images, *([STANDARD_INPUT] if config.stdin else [])])
        raise DataError(f"{names}: not one of {offered} images could be read; see above")
    if unreadable:
        say(f"{len(unreadable)} of {offered} images could not be read")
    return 1 if unreadable else 0


def named_images(name: str) -> list[Path]:
    """The file, or the images of the folder at any depth, hidden ones left out.

    Raises:
        DataError: nothing is there, or a folder cannot be read.
    """
    path = Path(name)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path of the images")
    if not path.is_dir():
        return [path]
    found = sorted(_images_below(path))
    if not found:
        raise DataError(f"{path}: holds no image; give a folder with {', '.join(sorted(IMAGE_SUFFIXES))} files")
    return found


def _images_below(folder: Path) -> Iterator[Path]:
    for entry in visible(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _images_below(entry)
        elif entry.suffix.lower() in IMAGE_SUFFIXES:
            yield entry


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


def version() -> None:
    """Prints the version."""
    results().print(f"kerastrash {kerastrash.__version__}", highlight=False)


def doctor() -> None:
    """Prints versions, backends and devices, and the formats that can be written and run here."""
    versions = {"kerastrash": kerastrash.__version__, "python": platform.python_version(), **package_versions()}
    machine = f"{processor_name()}, {os.cpu_count()} cores"
    backends = [(name, backend_state(name)) for name in BACKENDS]
    formats = []
    for name, entry in FORMATS.items():
        missing = entry.missing()
        state = f"not installed: {missing}" if missing else f"written and run by {entry.runtime}"
        formats.append((name, entry.suffix or "a folder", ", ".join(entry.precisions), state))
    tables = {
        "Versions": (("package", "version"), versions.items()),
        f"Backends, on {machine}": (("backend", "state"), backends),
        "Formats": (("format", "files", "precisions", "state"), formats),
    }
    for title, (columns, rows) in tables.items():
        results().print(PlainTable(columns, [*rows], text=columns, title=title))


def backend_state(name: str) -> str:
    """Whether the backend is there; the device of the one in use, as another has to be asked in its own process."""
    if importlib.util.find_spec(name) is None:
        return f'not installed: pip install "kerastrash[{name}]"'
    if name != os.environ.get("KERAS_BACKEND", "torch"):
        return f"installed: KERAS_BACKEND={name}"
    try:
        return f"in use, on {device_description()}"
    except ConfigError as error:
        return f"in use, on no device that is known ({error})"
