"""Exports a model in a format, and keeps the file only if its own runtime gives the model's outputs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from kerastrash.errors import ConfigError, ModelError
from kerastrash.export.agreement import BATCH, check_agreement, compare
from kerastrash.export.description import Description, Precision
from kerastrash.export.formats import FORMATS, FormatName, check_packages, check_precision, versions
from kerastrash.export.graph import gives_probabilities, in_float32
from kerastrash.export.keras_file import keras_runtime
from kerastrash.export.nets import OpenNet, softmax
from kerastrash.export.runtimes import open_runtime
from kerastrash.export.sidecar import ExportReport, sha256, size_on_disk, write_sidecar
from kerastrash.export.writing import staged, write_model
from kerastrash.models.saved import open_model, read_description


@dataclass(frozen=True)
class Original:
    """The model that files are exported from, and what it gives for some images."""

    path: Path
    sha256: str
    model: keras.Model
    """In float32, on the processor."""
    description: Description
    """What its file says of itself."""
    images: np.ndarray
    """uint8 (n, size, size, 3), RGB."""
    outputs: np.ndarray
    """float32 (n, classes)."""


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
        run = keras_runtime(model)
        outputs = np.concatenate([run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])
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
    check_packages(name)
    _check_classes(description, original)
    with staged(path) as place:
        write_model(original.model, name, place, description)
        with keras.device("cpu"):
            net = open_runtime(place)
            agreement = compare(net, original.images, _expected(original, description), description.precision)
        check_agreement(agreement, path, description.precision)
        _check_description(net, description, path)
        report = ExportReport(
            format=name,
            file=path.name,
            bytes=size_on_disk(place),
            source=str(original.path),
            source_sha256=original.sha256,
            description=description,
            input_size=net.input_size,
            runtime=net.name,
            agreement=agreement,
            versions=versions(name),
            written=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_sidecar(report, place)
    return report


def exported_name(stem: str, name: FormatName, precision: Precision) -> str:
    """The usual name of an exported file: `best.onnx`, `best-float16.onnx`, `best_saved_model`."""
    stem = stem if precision == "float32" else f"{stem}-{precision}"
    return f"{stem}{FORMATS[name].suffix or f'_{name}'}"


def _expected(original: Original, description: Description) -> np.ndarray:
    if description.softmax == gives_probabilities(original.model):
        return original.outputs
    return softmax(original.outputs)


def _check_classes(description: Description, original: Original) -> None:
    outputs = original.outputs.shape[1]
    if description.classes and len(description.classes) != outputs:
        raise ConfigError(
            f"classes={','.join(description.classes)} are {len(description.classes)} names, but {original.path} has "
            f"{outputs} outputs: give one name for each"
        )


def _check_description(net: OpenNet, description: Description, path: Path) -> None:
    if net.description != description:
        raise ModelError(f"{path}: not kept, what it says of itself, {net.description}, is not {description}")
