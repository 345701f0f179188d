"""Quantises a trained model to int8 for a runtime, and keeps the file only if it loses little accuracy."""

import importlib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from kerastrash.compress.config import QuantisedFormat, QuantiseSettings
from kerastrash.compress.quantisers import BATCH, QUANTISERS, divergence, draw_calibration
from kerastrash.console import console, track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.errors import ConfigError, KerastrashError, ModelError, told
from kerastrash.export.format import Description, OpenNet
from kerastrash.export.formats import FORMATS, FormatName, format_of, open_runtime, write_sidecar
from kerastrash.export.writing import staged_model, write_model
from kerastrash.files import copy_file, sha256
from kerastrash.models.builder import gives_probabilities
from kerastrash.models.saved import image_size, open_model
from kerastrash.scoring.evaluate import check_saved_classes, evaluate


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
    model_path, output, settings = Path(model_path), Path(output), settings or QuantiseSettings()
    _check_runtime(runtime, output)
    model = open_model(model_path)
    dataset = prepare(data, image_size(model), track)
    check_saved_classes(model, model_path, dataset)
    drawn = draw_calibration(dataset.split("train"), settings.calibration_images, settings.calibration_seed)
    task = QuantiseTask(model_path, runtime, dataset, *drawn, settings)
    description = Description(dataset.classes, gives_probabilities(model))
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder, staged_model(output) as int8:
        float32 = write_model(model, runtime, Path(folder) / f"float32{FORMATS[runtime].suffix}", description)
        quantiser, _ = QUANTISERS[runtime]
        int8_description = replace(description, precision="int8")
        candidates = quantiser(float32, Path(folder), task.images, settings.target, int8_description)
        closest, divergences = _closest(candidates, open_runtime(float32), task)
        for part in format_of(closest).parts(closest).values():
            copy_file(part, int8.with_suffix(part.suffix))
        report = _report(task, divergences, float32, int8)
        if report.loss > settings.max_loss and not settings.force:
            raise ModelError(
                f"{output}: not kept, macro F1 on the validation split falls from {report.before.val_f1:.4f} to "
                f"{report.after.val_f1:.4f}, by {report.loss:.4f} (allowed: {settings.max_loss:g}); give more "
                "--calibration-images, allow more with --max-loss, or keep it all the same with --force true"
            )
        write_sidecar(report, int8)
    return report


@dataclass(frozen=True)
class QuantiseTask:
    """A model to quantise for a runtime, and the data for it."""

    model_path: Path
    runtime: QuantisedFormat
    dataset: Dataset
    images: np.ndarray
    held_back: np.ndarray
    settings: QuantiseSettings


def _check_runtime(runtime: QuantisedFormat, output: Path) -> None:
    suffix = FORMATS[runtime].suffix
    if output.suffix != suffix:
        raise ConfigError(f"output={str(output)!r} is no file of {runtime}: name it {output.stem}{suffix}")
    FORMATS[runtime].check_packages()
    try:
        importlib.import_module(QUANTISERS[runtime][1])
    except ImportError as error:
        raise FORMATS[runtime].cannot_import(error) from error


def _closest(candidates: Iterable[tuple[str, Path]], net: OpenNet, task: QuantiseTask) -> tuple[Path, dict[str, float]]:
    """The file that is closest to the float32 net on the images held back, and each method's divergence from it."""
    console.print(f"quantising for {net.name} with {len(task.images)} training images", highlight=False)
    expected, files, found = net.in_batches(task.held_back, BATCH), {}, {}
    try:
        for method, path in candidates:
            files[method] = path
            answers = open_runtime(path).in_batches(task.held_back, BATCH)
            found[method] = divergence(expected, answers, net.description.softmax)
    except KerastrashError:
        raise
    except Exception as error:  # the quantisers raise what they like
        raise ModelError(
            f"{task.model_path}: cannot be quantised for {net.name} ({told(error)}); use float32"
        ) from error
    return files[min(found, key=found.get)], found


def _report(task: QuantiseTask, divergences: dict[str, float], float32: Path, int8: Path) -> QuantisationReport:
    console.print("measuring macro F1 of float32 and of int8 on the validation and test splits", highlight=False)
    net, library = open_runtime(int8), QUANTISERS[task.runtime][1].partition(".")[0]
    return QuantisationReport(
        format=task.runtime,
        file=int8.name,
        source=str(task.model_path),
        source_sha256=sha256(task.model_path),
        description=net.description,
        input_size=net.input_size,
        runtime=net.name,
        device=net.device,
        method=min(divergences, key=divergences.get),
        divergences=divergences,
        images=len(task.images),
        held_back=len(task.held_back),
        data=task.dataset.name,
        data_fingerprint=task.dataset.fingerprint,
        before=_figures(float32, task.dataset),
        after=_figures(int8, task.dataset),
        settings=task.settings,
        versions=FORMATS[task.runtime].versions() | {library: version(library)},
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _figures(path: Path, dataset: Dataset) -> FileFigures:
    net = open_runtime(path)
    val, test = (evaluate(net, dataset.split(name), BATCH).macro_f1 for name in ("val", "test"))
    return FileFigures(format_of(path).size(path), val, test)
