"""A run is a folder: its settings, its environment, everything it made; one process works in it at a time."""

import contextlib
import importlib.metadata
import os
import platform
import shlex
import shutil
import sys
from argparse import ArgumentError
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from kerastrash.cli import from_settings, settings
from kerastrash.errors import ConfigError, FileError, KerastrashError
from kerastrash.files import read_yaml, remove_temporaries, write_json, write_text

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
LOCK = ".lock"
FREE_SETTINGS = ("name", "runs", "cache", "sample_folder", "tfds_folder", "latency_folder", "workers")
"""Settings, at any depth, that say where files lie or how many work, not what comes of it: they may differ from one
call to the next."""
PACKAGES = (
    *("keras", "torch", "jax", "tensorflow", "keras-tuner", "numpy", "pillow", "scikit-learn"),
    *("onnx", "onnxruntime", "openvino", "nncf", "ai-edge-litert"),
)


@contextlib.contextmanager
def open_run(folder: Path, config: Any, free: tuple[str, ...] = FREE_SETTINGS) -> Iterator[Path]:
    """Claims `folder` for this process and yields it; a run made with the same settings is continued.

    A setting that the run does not know, as it came with a later version, has its default there.
    Writes config.yaml (the settings) and environment.json (machine and versions) when the run begins, and removes files
    that a killed process was writing. Where a
    KerastrashError ends it before anything else was made, the folder is removed: the mended command may have it.

    Args:
        folder: runs/NAME.
        config: the dataclass of settings.
        free: names of settings, at any depth, that may differ from one call to the next.

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
        _claim(folder, config, free)
        with _forgotten_where_nothing_was_made(folder):
            yield folder
    finally:
        lock.release()


@contextlib.contextmanager
def _forgotten_where_nothing_was_made(folder: Path) -> Iterator[None]:
    """Removes the folder after a mistake that was found before anything was made, so that it is free once mended."""
    try:
        yield
    except KerastrashError:
        if {path.name for path in folder.iterdir()} <= {CONFIG, ENVIRONMENT, LOCK}:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _claim(folder: Path, config: Any, free: tuple[str, ...]) -> None:
    path = folder / CONFIG
    wanted = {name: value for name, value in settings(config).items() if name not in free}
    if not path.exists():
        write_json(folder / ENVIRONMENT, environment())
        write_text(path, yaml.safe_dump(wanted, sort_keys=False))
        return
    earlier = read_yaml(path, ConfigError)
    earlier = _completed(earlier, type(config)) if isinstance(earlier, dict) else {}
    earlier, wanted = _compared(earlier, free), _compared(wanted, free)
    for name in {**wanted, **earlier}:
        if earlier.get(name) != wanted.get(name):
            raise ConfigError(
                f"{folder} was made with {name}={earlier.get(name)!r}, not {wanted.get(name)!r}: "
                "give the same settings to go on with it, or choose another --name"
            )


def _compared(values: dict[str, Any], free: tuple[str, ...], prefix: str = "") -> dict[str, Any]:
    """The settings at any depth, such as `recipe.epochs`, without those that may differ."""
    found = {}
    for name, value in values.items():
        if name not in free:
            found |= _compared(value, free, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def _completed(earlier: dict[str, Any], config_class: type) -> dict[str, Any]:
    """The settings of an earlier run, what it does not know at the defaults; as they are where they no longer fit."""
    with contextlib.suppress(ArgumentError, TypeError, ConfigError):
        return settings(from_settings(config_class, earlier))
    return earlier


def environment() -> dict[str, Any]:
    """Command, machine, versions and time, for the tables that quote them."""
    return {
        "command": shlex.join(["python", *sys.argv]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "backend": os.environ.get("KERAS_BACKEND", "default"),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def processor_name() -> str:
    """The processor's model, such as `AMD EPYC 7B13`; the machine's architecture where the system does not tell it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or "unknown processor"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
