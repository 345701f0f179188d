"""Exports a model in formats, and keeps a file only if its own runtime gives the model's outputs."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from kerastrash.backends import fix_threads
from kerastrash.console import say, track
from kerastrash.data import SplitData, prepare
from kerastrash.errors import ConfigError, KerastrashError, ModelError
from kerastrash.export.agreement import BATCH, Attempt, ExportReport, check_agreement, compare
from kerastrash.export.format import Description, Precision, softmax
from kerastrash.export.formats import FORMATS, ExportConfig, FormatName, check_precision, open_runtime, write_sidecar
from kerastrash.export.keras_file import keras_runtime
from kerastrash.export.writing import staged_model, write_unstaged
from kerastrash.files import sha256
from kerastrash.models.builder import gives_probabilities, in_float32
from kerastrash.models.saved import image_size, open_model, read_description


@dataclass(frozen=True)
class Original:
    """The model that files are exported from, and what it gives for some images."""

    path: Path
    sha256: str
    model: keras.Model
    """The model in float32, on the processor."""
    description: Description
    images: np.ndarray
    """uint8 (n, size, size, 3), RGB."""
    outputs: np.ndarray
    """float32 (n, classes)."""


def export_formats(config: ExportConfig) -> list[Attempt]:
    """Exports the model to every format that the settings name, or that this installation can write and open.

    One that fails does not keep the others from being written.

    Raises:
        ConfigError: no format is left.
        DataError: the images cannot be used.
        ModelError: the model cannot be opened.
    """
    fix_threads(1)  # a backend that cannot change them later opens its own files with them too
    formats = config.formats or formats_here(config)
    model = open_model(config.model)
    part = prepare(config.data, image_size(model), track).split(config.part)
    original = open_original(config.model, compared_images(part, config.images_compared), model)
    kept = original.description
    description = Description(config.classes or kept.classes, config.softmax or kept.softmax, config.precision)
    if not description.classes:
        say(f"{config.model}: names no classes, so the exported files name none; give them with --classes")
    folder, attempts = config.output or config.model.parent / "exports", []
    for name in track(formats, "Exporting", "formats"):
        started = time.perf_counter()
        path = folder / exported_name(config.model.stem, name, config.precision)
        try:
            outcome = export_model(original, name, path, description)
        except KerastrashError as error:
            outcome = error
        attempts.append(Attempt(name, outcome, time.perf_counter() - started))
    return attempts


def formats_here(config: ExportConfig) -> list[FormatName]:
    """The formats that have the precision and whose packages are installed; names the others with their reason."""
    found = []
    for name, entry in FORMATS.items():
        if config.precision not in entry.precisions:
            say(f"{name}: left out, it has no {config.precision}")
        elif line := entry.missing():
            say(f"{name}: left out, it needs {line}")
        else:
            found.append(name)
    if not found:
        raise ConfigError(f"precision={config.precision!r}: no format that has it can be written here; see above")
    return found


def compared_images(part: SplitData, most: int) -> np.ndarray:
    """uint8 (n, size, size, 3): at most so many of a split's images, spread evenly."""
    chosen = np.linspace(0, len(part) - 1, min(most, len(part))).astype(int)
    return np.asarray(part.images[np.asarray(part.indices)[chosen]])


def exported_name(stem: str, name: FormatName, precision: Precision) -> str:
    """The usual name of an exported file: `best.onnx`, `best-float16.onnx`, `best_saved_model`."""
    stem = stem if precision == "float32" else f"{stem}-{precision}"
    return f"{stem}{FORMATS[name].suffix or f'_{name}'}"


def open_original(path: Path, images: np.ndarray, model: keras.Model | None = None) -> Original:
    """Opens a `.keras` file of any dtype policy, rebuilds it in float32, and runs it on images.

    Args:
        images: uint8 (n, size, size, 3), RGB, n at least 1: what every exported file is compared on.
        model: the file's model, where it is open already.

    Raises:
        ModelError: the file cannot be opened, or its outputs are not finite.
    """
    with keras.device("cpu"):  # where the runtimes compute too; a GPU's TF32 would differ
        model = in_float32(model or open_model(path))
        outputs = keras_runtime(model).in_batches(images, BATCH)
    if not np.isfinite(outputs).all():
        raise ModelError(f"{path}: its outputs are not finite; train it anew")
    kept = Description.from_json(read_description(path), path)
    softmax = kept.softmax or gives_probabilities(model)
    return Original(path, sha256(path), model, Description(kept.classes, softmax), images, outputs)


def export_model(
    original: Original, name: FormatName, path: Path, description: Description | None = None
) -> ExportReport:
    """Exports a model, opens the file in its own runtime, compares, and keeps it, with a sidecar, if it agrees.

    Args:
        path: of the file; of the folder for `saved_model`. What stood there is replaced, or stays if this fails.
        description: kept in the file, its `softmax` and `precision` followed; by default the original's.

    Raises:
        ConfigError: packages are missing, the format has no such precision, or there are not as many class names as
            outputs.
        ModelError: the net cannot be written, opened or run in this format, or its outputs differ by too much.
        FileError: the file cannot be written.
    """
    description = description or original.description
    check_precision(name, description.precision)
    FORMATS[name].check_packages()
    names, outputs = description.classes, original.outputs.shape[1]
    if names and len(names) != outputs:
        raise ConfigError(
            f"classes={','.join(names)} are {len(names)} names, but {original.path} has {outputs} outputs: "
            "give one name for each"
        )
    with staged_model(path) as temporary:
        write_unstaged(original.model, name, temporary, description)
        report = _report(original, name, temporary, path, description)
        write_sidecar(report, temporary)
    return report


def _report(original: Original, name: FormatName, written: Path, path: Path, description: Description) -> ExportReport:
    """Compares the file that was written with the original; it will lie at `path`."""
    same = description.softmax == gives_probabilities(original.model)
    with keras.device("cpu"):
        net = open_runtime(written)
        expected = original.outputs if same else softmax(original.outputs)
        agreement = compare(net, original.images, expected, description.precision)
    check_agreement(agreement, path, description.precision)
    if net.description != description:
        raise ModelError(f"{path}: not kept, what it says of itself, {net.description}, is not {description}")
    return ExportReport(
        format=name,
        file=path.name,
        bytes=FORMATS[name].size(written),
        source=str(original.path),
        source_sha256=original.sha256,
        description=description,
        input_size=net.input_size,
        runtime=net.name,
        agreement=agreement,
        versions=FORMATS[name].versions(),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )
