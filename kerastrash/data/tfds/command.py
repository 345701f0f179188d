"""The command `prepare_data.py tfds`: builds a set, once, and says what it holds."""

import contextlib
import io
import re
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import absl.logging
import tensorflow_datasets as tfds
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kerastrash.cli import part_of
from kerastrash.console import console, results
from kerastrash.data.cache_writer import alone_at
from kerastrash.data.config import SMALLEST_INPUT, DataConfig, check_config
from kerastrash.data.dataset import TFDS, open_source
from kerastrash.data.records import SPLITS, Source, by_reason
from kerastrash.data.tfds.builder import CropsConfig, KerastrashCrops
from kerastrash.data.tfds.source import DATASET, open_table, read_tfds
from kerastrash.data.tfds.table import built_from
from kerastrash.errors import ConfigError, FileError, require

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
INCOMPLETE = "incomplete."
"""Begins the name of the folder that TFDS writes in, and renames when all is written."""
WRITE_FAILED = re.compile(r"(?:open|write|fsync|close)\(\) failed: ([^;]*)")
"""What array_record's C++ says of a full disk, in a RuntimeError."""
NAMED = 2
"""How many left-out items are named for each reason; metadata.json names all."""


@dataclass(frozen=True)
class TfdsConfig(DataConfig):
    """Build a TFDS data set of the crops, read everywhere as `--data tfds:NAME`."""

    name: str | None = None
    """Name of the set; by default that of the data."""

    beam: bool = False
    """Build with Apache Beam: the same records, by as many machines as its runner has."""

    beam_options: str = ""
    """Options of the Beam pipeline, written --beam-options="--runner=... --other=..."; by default its local runner."""


def build_tfds(config: TfdsConfig) -> None:
    """Builds a TFDS data set (array_record) of the crops and prints what it holds and what was left out."""
    name = build_set(config)
    _print_summary(read_tfds(name, config.tfds_folder))
    option = f"--data {TFDS}{name} --tfds-folder {config.tfds_folder}"
    results().print(option, soft_wrap=True, highlight=False, emoji=False)


def build_set(config: TfdsConfig) -> str:
    """Builds the set unless it is there, and returns its name.

    Raises:
        ConfigError: there is a set of the same name that was built from other data or with another split.
        DataError: the source or its split cannot be used.
        FileError: the set cannot be written; nothing of it is left behind.
    """
    data = part_of(DataConfig, config)
    require(not data.data.startswith(TFDS), "data", data.data, "is built already; give what it is to be built from")
    require(config.beam or not config.beam_options, "beam_options", config.beam_options, "goes with --beam true")
    check_config(data, SMALLEST_INPUT)
    source = open_source(data)
    name = config.name or re.sub(r"[^A-Za-z0-9_-]+", "_", source.name)
    require(bool(NAME.fullmatch(name)), "name", name, "must be letters, digits, '_', '-' and '.', no '.' or '-' first")
    target = config.tfds_folder / DATASET / name / str(KerastrashCrops.VERSION)
    with _writing(target), alone_at(target.parent):
        if target.exists():
            _check_same(target, built_from(source, data))
            console.print(f"{target}: built before from the same data, stays as it is", soft_wrap=True)
        else:
            _build(target, CropsConfig(name=name, data=data, beam=config.beam), config.beam_options)
    return name


def _check_same(target: Path, wanted: dict[str, Any]) -> None:
    """Raises ConfigError where the set was built from other data or with another split, DataError where damaged."""
    table, _ = open_table(target)
    if table["source"] != wanted:
        raise ConfigError(f"{target}: was built from other data or split otherwise; remove it or give another --name")


def _build(target: Path, config: CropsConfig, beam_options: str) -> None:
    """Builds the set in a folder beside `target`, which TFDS renames when all is written.

    TFDS asks for a folder of downloads too, and makes one of its own beside the sets where it is given none.
    """
    for killed in target.parent.glob(f"{INCOMPLETE}*"):
        shutil.rmtree(killed)
    target.parent.mkdir(exist_ok=True)
    with _quiet_tfds(), tempfile.TemporaryDirectory(prefix=INCOMPLETE, dir=target.parent) as downloads:
        builder = KerastrashCrops(config=config, data_dir=target.parents[2])
        options = _download_config(config, beam_options)
        builder.download_and_prepare(download_dir=downloads, download_config=options)


def _download_config(config: CropsConfig, options: str) -> tfds.download.DownloadConfig:
    if not config.beam:
        return tfds.download.DownloadConfig()
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ModuleNotFoundError as cause:
        raise ConfigError(f"--beam: {cause}; install apache-beam in an environment of its own: docs/tfds.md") from cause
    return tfds.download.DownloadConfig(beam_options=PipelineOptions(shlex.split(options)))


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Says in a sentence that the set cannot be written."""
    try:
        target.parent.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as cause:
        raise _cannot_write(target, cause.strerror or str(cause)) from cause
    except RuntimeError as cause:
        failed = WRITE_FAILED.search(str(cause))
        if not failed:
            raise
        raise _cannot_write(target, failed[1]) from cause


def _cannot_write(target: Path, reason: str) -> FileError:
    return FileError(f"{target}: cannot be written ({reason}); free the disk or give another one with --tfds-folder")


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Leaves the terminal to the project's own progress bar."""
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        absl.logging.set_verbosity(verbosity)
        tfds.enable_progress_bar()


def _print_summary(source: Source) -> None:
    counts = Counter((source.classes[crop.label], crop.split) for crop in source.crops)
    table = Table("class", *SPLITS, title=Text(f"{source.name}: crops by class"), title_justify="left")
    for name in source.classes:
        table.add_row(escape(name), *(str(counts[name, side]) for side in SPLITS))
    table.add_row("all", *(str(sum(crop.split == side for crop in source.crops)) for side in SPLITS))
    results().print(table)
    for reason, what in by_reason(source.left_out).items():
        more = f" and {len(what) - NAMED} more" if len(what) > NAMED else ""
        results().print(f"left out: {len(what)} x {reason}: {', '.join(what[:NAMED])}{more}", markup=False, emoji=False)
