"""Exports a model to several formats; one that fails does not keep the others from being written."""

import time
from dataclasses import dataclass, replace

import numpy as np

from kerastrash.backends import fix_threads
from kerastrash.console import say, track
from kerastrash.data import Part, prepare
from kerastrash.errors import ConfigError, KerastrashError
from kerastrash.export.config import ExportConfig
from kerastrash.export.description import Description
from kerastrash.export.export import Original, export_model, exported_name, open_original
from kerastrash.export.formats import FORMATS, PRECISIONS, FormatName, missing_packages
from kerastrash.export.sidecar import ExportReport
from kerastrash.models.saved import image_size, open_model


@dataclass(frozen=True)
class Attempt:
    """One format: its report, or why there is none."""

    format: FormatName
    outcome: ExportReport | KerastrashError
    seconds: float


def export_formats(config: ExportConfig) -> list[Attempt]:
    """Exports the model to every format that the settings name, or that this installation can write and open.

    Raises:
        ConfigError: no format is left.
        DataError: the images cannot be used.
        ModelError: the model cannot be opened.
    """
    fix_threads(1)  # a backend that cannot change them later opens its own files with them too
    formats = config.formats or formats_here(config)
    model = open_model(config.model)
    images = compared_images(prepare(config.data, image_size(model)).part(config.part), config.images_compared)
    original = open_original(config.model, images, model)
    description = _description(original.description, config)
    if not description.classes:
        say(f"{config.model}: names no classes, so the exported files name none; give them with --classes")
    return [_attempt(original, name, description, config) for name in track(formats, "Exporting", "formats")]


def formats_here(config: ExportConfig) -> list[FormatName]:
    """The formats that have the precision and whose packages are installed; names the others with their reason."""
    found = []
    for name in FORMATS:
        line = missing_packages(name)
        if config.precision not in PRECISIONS[name]:
            say(f"{name}: left out, it has no {config.precision}")
        elif line:
            say(f"{name}: left out, it needs {line}")
        else:
            found.append(name)
    if not found:
        raise ConfigError(f"precision={config.precision!r}: no format that has it can be written here; see above")
    return found


def compared_images(part: Part, most: int) -> np.ndarray:
    """uint8 (n, size, size, 3): at most so many of the part's images, spread evenly."""
    places = np.linspace(0, len(part) - 1, min(most, len(part))).astype(int)
    return np.asarray(part.images[np.asarray(part.indices)[places]])


def _description(kept: Description, config: ExportConfig) -> Description:
    return replace(
        kept,
        classes=config.classes or kept.classes,
        softmax=config.softmax or kept.softmax,
        precision=config.precision,
    )


def _attempt(original: Original, name: FormatName, description: Description, config: ExportConfig) -> Attempt:
    folder = config.output or config.model.parent / "exports"
    started = time.perf_counter()
    try:
        path = folder / exported_name(config.model.stem, name, description.precision)
        outcome = export_model(original, name, path, description)
    except KerastrashError as error:
        outcome = error
    return Attempt(name, outcome, time.perf_counter() - started)
