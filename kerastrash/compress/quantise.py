"""Quantises a trained model to int8 for a runtime, and keeps the file only if it loses little accuracy."""

import importlib
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import keras

from kerastrash.compress.calibration import BATCH, Calibration, Int8File, divergence, draw_calibration, outputs
from kerastrash.compress.config import QuantisedFormat, QuantiseSettings
from kerastrash.console import console, track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.errors import ConfigError, KerastrashError, ModelError
from kerastrash.export.format import Description, OpenNet
from kerastrash.export.formats import FORMATS, FormatName, format_of, open_runtime, write_sidecar
from kerastrash.export.writing import staged_model, write_model
from kerastrash.files import copy_file, sha256
from kerastrash.models.builder import gives_probabilities
from kerastrash.models.saved import image_size, open_model
from kerastrash.scoring.evaluate import check_saved_classes, evaluate

_QUANTISERS: dict[QuantisedFormat, tuple[str, tuple[str, ...]]] = {
    "onnx": ("quantise_onnx", ()),
    "openvino": ("quantise_openvino", ("nncf",)),
}
"""The file here by format, whose function has its name, and the packages that it needs beyond the format's."""


@dataclass(frozen=True)
class FileFigures:
    """How large a file is, and how right in its runtime."""

    bytes: int
    """Size on the disk, all parts together."""
    val_f1: float
    """Macro F1 on the validation split, by which the file is kept or refused."""
    test_f1: float
    """Macro F1 on the test split, by which nothing is decided."""


@dataclass(frozen=True)
class QuantisationReport:
    """An int8 file beside the float32 file of the same net in the same runtime; the content of its sidecar."""

    format: FormatName
    file: str
    source: str
    """The `.keras` file as it was named."""
    source_sha256: str
    description: Description
    input_size: int
    runtime: str
    device: str
    """The processor on which both were measured."""
    method: str
    """How the maps' ranges were found: the method with the least divergence."""
    divergences: dict[str, float]
    """Mean Kullback-Leibler divergence from the float32 outputs by method, in nats, on training images held back."""
    images: int
    """Training images that the ranges are from."""
    held_back: int
    """Training images that the methods were compared on."""
    data: str
    data_fingerprint: str
    before: FileFigures
    after: FileFigures
    settings: QuantiseSettings
    versions: dict[str, str]
    """The packages that wrote and opened it."""
    written: str
    """Time in ISO 8601, UTC."""

    @property
    def loss(self) -> float:
        """What macro F1 lost on the validation split; below 0 where it rose."""
        return self.before.val_f1 - self.after.val_f1


def quantise(
    model_path: Path | str,
    runtime: QuantisedFormat,
    output: Path | str,
    data: DataConfig,
    settings: QuantiseSettings | None = None,
) -> QuantisationReport:
    """Writes a model in int8, with a sidecar `OUTPUT.json`, unless it loses too much macro F1.

    The ranges come from training images, the method is chosen on other training images, the file is kept or refused by
    the validation split, and the test split is only reported.

    Args:
        model_path: a trained `.keras` file.
        output: the file to write, its suffix the format's; what stood there is replaced, or stays if this fails.
        data: what the model was trained on, split as it was then.

    Raises:
        ConfigError: the suffix is another format's, or packages are missing.
        ModelError: the model cannot be opened or quantised, is for other classes, or loses more than
            `settings.max_loss` and is not forced; no file is left.
        DataError: the data cannot be used.
        FileError: the file cannot be written.
    """
    output, settings = Path(output), settings or QuantiseSettings()
    quantiser = _quantiser(runtime, output)
    model, task = _open(Path(model_path), runtime, data, settings)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder, staged_model(output) as int8:
        float32 = Path(folder) / f"float32{FORMATS[runtime].suffix}"
        write_model(model, runtime, float32, task.description)
        description = replace(task.description, precision="int8")
        candidates = quantiser(float32, Path(folder), task.drawn.images, settings.target, description)
        divergences = _divergences(candidates, open_runtime(float32), task)
        closest = min(divergences, key=divergences.get)
        for part in format_of(closest.path).parts(closest.path).values():
            copy_file(part, int8.with_suffix(part.suffix))
        report = _report(task, closest.method, divergences, float32, int8)
        _check_loss(report, output)
        write_sidecar(report, int8)
    return report


@dataclass(frozen=True)
class QuantiseTask:
    """A model to quantise for a runtime, and the data for it."""

    model_path: Path
    runtime: QuantisedFormat
    description: Description
    """What the float32 file says of itself."""
    dataset: Dataset
    drawn: Calibration
    settings: QuantiseSettings


def _quantiser(runtime: QuantisedFormat, output: Path) -> Callable[..., Iterable[Int8File]]:
    suffix, module = FORMATS[runtime].suffix, _QUANTISERS[runtime][0]
    if output.suffix != suffix:
        raise ConfigError(f"output={str(output)!r} is no file of {runtime}: name it {output.stem}{suffix}")
    FORMATS[runtime].check_packages()
    try:
        return getattr(importlib.import_module(f"{__package__}.{module}"), module)
    except ImportError as error:
        raise FORMATS[runtime].cannot_import(error) from error


def _open(
    path: Path, runtime: QuantisedFormat, data: DataConfig, settings: QuantiseSettings
) -> tuple[keras.Model, QuantiseTask]:
    model = open_model(path)
    dataset = prepare(data, image_size(model), track)
    check_saved_classes(model, path, dataset)
    drawn = draw_calibration(dataset.split("train"), settings.calibration_images, settings.calibration_seed)
    description = Description(dataset.classes, gives_probabilities(model))
    return model, QuantiseTask(path, runtime, description, dataset, drawn, settings)


def _divergences(candidates: Iterable[Int8File], net: OpenNet, task: QuantiseTask) -> dict[Int8File, float]:
    """How far each candidate is from the float32 file on the images held back."""
    held_back = task.drawn.held_back
    console.print(f"quantising for {net.name} with {len(task.drawn.images)} training images", highlight=False)
    expected, found = outputs(net, held_back), {}
    try:
        for candidate in candidates:
            answers = outputs(open_runtime(candidate.path), held_back)
            found[candidate] = divergence(expected, answers, net.description.softmax)
    except KerastrashError:
        raise
    except Exception as error:  # the quantisers raise what they like
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{task.model_path}: cannot be quantised for {net.name} ({reason}); use float32") from error
    return found


def _report(
    task: QuantiseTask, method: str, divergences: dict[Int8File, float], float32: Path, int8: Path
) -> QuantisationReport:
    console.print("measuring macro F1 of float32 and of int8 on the validation and test splits", highlight=False)
    net, packages = open_runtime(int8), _QUANTISERS[task.runtime][1]
    return QuantisationReport(
        format=task.runtime,
        file=int8.name,
        source=str(task.model_path),
        source_sha256=sha256(task.model_path),
        description=net.description,
        input_size=net.input_size,
        runtime=net.name,
        device=net.device,
        method=method,
        divergences={file.method: value for file, value in divergences.items()},
        images=len(task.drawn.images),
        held_back=len(task.drawn.held_back),
        data=task.dataset.name,
        data_fingerprint=task.dataset.fingerprint,
        before=_figures(float32, task.dataset),
        after=_figures(int8, task.dataset),
        settings=task.settings,
        versions=FORMATS[task.runtime].versions() | {package: version(package) for package in packages},
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _figures(path: Path, dataset: Dataset) -> FileFigures:
    net = open_runtime(path)
    val, test = (evaluate(net, dataset.split(name), BATCH).macro_f1 for name in ("val", "test"))
    return FileFigures(format_of(path).size(path), val, test)


def _check_loss(report: QuantisationReport, output: Path) -> None:
    allowed = report.settings.max_loss
    if report.loss <= allowed or report.settings.force:
        return
    raise ModelError(
        f"{output}: not kept, macro F1 on the validation split falls from {report.before.val_f1:.4f} to "
        f"{report.after.val_f1:.4f}, by {report.loss:.4f} (allowed: {allowed:g}); give more --calibration-images, "
        "allow more with --max-loss, or keep it all the same with --force true"
    )
