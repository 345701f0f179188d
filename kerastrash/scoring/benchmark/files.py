"""From the models that are named to the files that are timed."""

from dataclasses import dataclass
from pathlib import Path

import keras

from kerastrash.console import console, track
from kerastrash.errors import KerastrashError
from kerastrash.export.description import Description
from kerastrash.export.formats import FORMATS, FormatName, format_of
from kerastrash.export.needs import missing_packages
from kerastrash.export.writers import write_model
from kerastrash.models.saved import open_model, read_description
from kerastrash.scoring.benchmark.config import BenchmarkConfig


@dataclass(frozen=True)
class ModelFile:
    """A file to be opened: the model itself, or what was written from it."""

    model: Path
    """As it was named."""
    format: FormatName | None
    """None where the file is of no known format."""
    path: Path | None
    """None where there is no file."""
    reason: str = ""
    """Why there is none."""

    @property
    def bytes(self) -> int | None:
        """The size of all that belongs to it: an OpenVINO file's weights, everything in a SavedModel's folder."""
        if not self.path or not self.path.exists():
            return None
        parts = list(self.path.rglob("*")) if self.path.is_dir() else [self.path]
        if self.format == "openvino":
            parts.append(self.path.with_suffix(".bin"))
        return sum(part.stat().st_size for part in parts if part.is_file())


def model_files(config: BenchmarkConfig, folder: Path) -> list[ModelFile]:
    """The files of all models in all formats that the settings name, failures included; new ones go into `folder`."""
    jobs = [(model, name) for model in config.models for name in _formats_of(model, config)]
    return [
        _model_file(model, name, folder / str(number))
        for number, (model, name) in enumerate(track(jobs, "preparing", "files"))
    ]


def written_file(
    origin: Path, model: keras.Model, name: FormatName, folder: Path, description: Description | None = None
) -> ModelFile:
    """Writes the model that was named `origin` into the folder in a format; a failure is the file's reason."""
    try:
        path = write_model(model, name, folder / f"model{FORMATS[name].suffix}", description)
        return ModelFile(origin, name, path)
    except KerastrashError as error:
        return ModelFile(origin, name, None, str(error))


def _formats_of(model: Path, config: BenchmarkConfig) -> list[FormatName | None]:
    """The formats that a model is timed in, None for its own; what is left out of `all` is said."""
    if config.formats is None or model.suffix != FORMATS["keras"].suffix:
        return [None]
    if config.formats != "all":
        return list(config.formats)
    missing = {name: missing_packages(name) for name in FORMATS}
    for name, line in missing.items():
        if line:
            console.print(f"{model} is not timed as {name}: run {line}", soft_wrap=True, highlight=False, markup=False)
    return [name for name, line in missing.items() if not line]


def _model_file(model: Path, name: FormatName | None, folder: Path) -> ModelFile:
    try:
        own = format_of(model).name
        if name in (None, own):
            return ModelFile(model, own, model)
        classes = Description.from_json(read_description(model), model).classes
        return written_file(model, open_model(model), name, folder, Description(classes))
    except KerastrashError as error:
        return ModelFile(model, name, None, str(error))
