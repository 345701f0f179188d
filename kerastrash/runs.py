"""A run is a folder: its settings, its environment, everything it made; one process works in it at a time."""

import contextlib
import dataclasses
import importlib.metadata
import itertools
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from kerastrash.errors import ConfigError, FileError, KerastrashError
from kerastrash.files import read_yaml, remove_temporaries, write_json, write_text
from kerastrash.settings import field_types, from_dict, leaves, merged, to_dict

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
LOCK = ".lock"
MODEL = "best.keras"
FREE_SETTINGS = frozenset(
    {"name", "runs", "cache", "sample_folder", "tfds_folder", "latency_folder", "workers", "retrain_epochs"}
)
"""Settings, wherever they are nested, that may differ from one call to the next: they say where files lie or how many
work, not what comes of it, or what is done once more in a folder of its own."""
RENAMED = {"turns": "blocks"}
"""Settings that had another name when runs were written flat."""
PACKAGES = (
    *("keras", "torch", "jax", "tensorflow", "keras-tuner", "numpy", "pillow", "scikit-learn"),
    *("onnx", "onnxruntime", "onnxruntime-gpu", "openvino", "nncf", "ai-edge-litert"),
)


@dataclass(frozen=True, kw_only=True)
class InRun:
    """The settings of a command that works in a run."""

    name: str | None = None
    """Name of the run's folder; left out, it follows from the data, the net or the file that is given."""
    runs: Path = Path("runs")
    """Folder of all runs."""


def run_folder(config: InRun, usual: str) -> Path:
    """The folder of a run: runs/NAME, or without a name the first that is free of `usual`, `usual-2`, `usual-3`, ...

    A run that was made with the same settings is free for them: the same command goes on with it.
    """
    if config.name:
        return config.runs / config.name
    folders = (config.runs / (usual if number == 1 else f"{usual}-{number}") for number in itertools.count(1))
    return next(folder for folder in folders if not _differs(folder, config))


def run_of(path: Path) -> Path | None:
    """The folder of the run that a file lies in, at any depth, or that the path is; None where there is none."""
    folders = (path, *path.absolute().parents)
    return next((each for each in folders if (each / CONFIG).is_file() and (each / ENVIRONMENT).is_file()), None)


def model_in(path: Path) -> Path:
    """The model that a path names: the file itself, or the one that a run's folder holds."""
    return path / MODEL if (path / MODEL).is_file() else path


@contextlib.contextmanager
def open_run(folder: Path, config: Any) -> Iterator[Path]:
    """Claims `folder`, runs/NAME, for this process and yields it; a run made with the same settings is continued.

    A setting that the run does not know, as it came with a later version, has its default there; FREE_SETTINGS may
    differ. Writes config.yaml (the settings) and environment.json (machine and versions) when the run begins, and
    removes files that a killed process was writing. Where a KerastrashError ends it before anything else was made, the
    folder is removed: the mended command may have it.

    Raises:
        ConfigError: the folder was made with other settings, or another process is working in it.
        FileError: the folder cannot be written.
    """
    import filelock  # not with this module: what opens exported files alone has none

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except filelock.Timeout:
        raise ConfigError(f"{folder}: another process is working there; wait for it or choose another --name") from None
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"{folder}: cannot be written ({reason}); choose another folder for the runs") from error
    try:
        remove_temporaries(folder)
        _claim(folder, config)
        try:
            yield folder
        except KerastrashError:
            if {path.name for path in folder.iterdir()} <= {CONFIG, ENVIRONMENT, LOCK}:
                shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        lock.release()


def _claim(folder: Path, config: Any) -> None:
    """Writes the settings of a new run; raises ConfigError where the run was made with others."""
    if not (folder / CONFIG).exists():
        write_json(folder / ENVIRONMENT, environment())
        write_text(folder / CONFIG, yaml.safe_dump(_without_free(to_dict(config)), sort_keys=False))
    for name, before, now in _differences(folder, config):
        raise ConfigError(
            f"{folder} was made with {name}={before!r}, not {now!r}: "
            "give the same settings to go on with it, or choose another --name"
        )


def _differs(folder: Path, config: Any) -> bool:
    """Whether the folder holds a run of other settings, or something that is no run."""
    if not (folder / CONFIG).exists():
        return folder.is_dir() and any(entry.name != LOCK for entry in folder.iterdir())
    try:
        return any(_differences(folder, config))
    except ConfigError:
        return True


def _differences(folder: Path, config: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, value before and value now of the settings in which a run differs; what it does not know had its default.

    Raises:
        ConfigError: another command or version made the run, or its file is damaged.
    """
    values = read_yaml(folder / CONFIG, ConfigError)
    try:
        values = _nested(type(config), _without_free(values)) if isinstance(values, dict) else values
        earlier = from_dict(type(config), values, folder / CONFIG)
    except ConfigError as error:
        raise ConfigError(f"{error}: another command or version made this run; choose another --name") from None
    before, now = (
        {place: to_dict(value) for place, value, _ in leaves(each, FREE_SETTINGS)} for each in (earlier, config)
    )
    for place in {**now, **before}:
        if before.get(place) != now.get(place):
            yield place[-1], before.get(place), now.get(place)


def _nested(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run made by a version that wrote them flat, each with the first group that has its name."""
    kinds, found = field_types(cls), {}
    groups = {name: kind for name, kind in kinds.items() if dataclasses.is_dataclass(kind)}
    for name, value in ((RENAMED.get(name, name), value) for name, value in values.items()):
        own = name in kinds and (name not in groups or isinstance(value, dict))
        group = None if own else next((group for group, kind in groups.items() if name in field_types(kind)), None)
        found = merged(found, {group: {name: value}} if group else {name: value})
    return found


def _without_free(values: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in values.items() if name not in FREE_SETTINGS}
    return {name: _without_free(value) if isinstance(value, dict) else value for name, value in kept.items()}


def environment() -> dict[str, Any]:
    """Command, as it would be typed, machine, versions and time, for the tables that quote them."""
    program = ["python", sys.argv[0]] if sys.argv[0].endswith(".py") else [Path(sys.argv[0]).name]
    return {
        "command": shlex.join([*program, *sys.argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "backend": os.environ.get("KERAS_BACKEND", "default"),
        "packages": package_versions(),
    }


def package_versions() -> dict[str, str]:
    """The versions of those packages that results depend on, and that are installed."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def processor_name() -> str:
    """The processor's model, such as `AMD EPYC 7B13`; the machine's architecture where the system does not tell it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or "unknown processor"
