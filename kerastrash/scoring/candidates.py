"""The files of a benchmark, each opened in a process with some threads, and the baseline net beside each."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np

from kerastrash.console import console, track
from kerastrash.errors import KerastrashError
from kerastrash.export.format import Description
from kerastrash.export.formats import FORMATS, FormatName, check_digests, format_of
from kerastrash.export.writing import write_model
from kerastrash.models.saved import open_model, read_description
from kerastrash.scoring.baseline import dtype_policy_of, file_in_runtime
from kerastrash.scoring.clocks import Timing
from kerastrash.scoring.config import BenchmarkConfig
from kerastrash.scoring.net_process import NetProcess


@dataclass(frozen=True)
class ModelFile:
    """A file to be opened: the model itself, or what was written from it."""

    model: Path
    """As it was named."""
    format: FormatName | None
    """None where the file is of no known format."""
    path: Path | None
    """None where there is no file."""
    dtype_policy: str = "float32"
    """Keras's, of a `.keras` file."""
    reason: str = ""
    """Why there is no file."""

    @property
    def bytes(self) -> int | None:
        """The size of all that belongs to it: an OpenVINO file's weights, everything in a SavedModel's folder."""
        return FORMATS[self.format].size(self.path) if self.path and self.path.exists() else None


def model_files(config: BenchmarkConfig, folder: Path) -> list[ModelFile]:
    """The files of all models in all formats that the settings name, failures included; new ones go into `folder`."""
    jobs = [(model, name) for model in config.models for name in _formats_of(model, config)]
    return [
        _model_file(model, name, folder / str(number))
        for number, (model, name) in enumerate(track(jobs, "preparing", "files"))
    ]


def _formats_of(model: Path, config: BenchmarkConfig) -> list[FormatName | None]:
    """The formats that a model is timed in, None for its own; what is left out of `all` is said."""
    if config.formats is None or model.suffix != FORMATS["keras"].suffix:
        return [None]
    if config.formats != "all":
        return list(config.formats)
    missing = {name: FORMATS[name].missing() for name in FORMATS}
    for name, line in missing.items():
        if line:
            console.print(f"{model} is not timed as {name}: run {line}", soft_wrap=True, highlight=False, markup=False)
    return [name for name, line in missing.items() if not line]


def _model_file(model: Path, name: FormatName | None, folder: Path) -> ModelFile:
    try:
        own = format_of(model).name
        if own == "keras":
            check_digests(model)
        if name in (None, own):
            return ModelFile(model, own, model, dtype_policy_of(open_model(model)) if own == "keras" else "float32")
        classes = Description.from_json(read_description(model), model).classes
        path = folder / f"model{FORMATS[name].suffix}"
        return ModelFile(model, name, write_model(open_model(model), name, path, Description(classes)))
    except KerastrashError as error:
        return ModelFile(model, name, None, reason=str(error))


Result = TypeVar("Result")


@dataclass(eq=False)
class Candidate:
    """A file with some threads; it is measured until something fails, and what was measured before stays."""

    file: ModelFile
    threads: int
    backend: str | None = None
    """Of Keras, for a `.keras` file; None is the active one."""
    process: NetProcess | None = None
    timings: dict[int, Timing] = field(default_factory=dict)
    """By batch."""
    peak_bytes: int | None = None
    """Of the process, when it had been timed at batch 1."""
    failure: str = ""

    def open(self) -> None:
        """Opens the file in a process of its own."""
        self.failure = self.file.reason
        self.process = self.attempt(NetProcess, self.file.path, self.threads, self.backend)

    def close(self) -> None:
        """Ends the process."""
        if self.process:
            self.process.close()

    def attempt(self, work: Callable[..., Result], *arguments: object) -> Result | None:
        """What the work gives; None where it fails, which is kept as the failure, or something failed before."""
        if self.failure:
            return None
        try:
            return work(*arguments)
        except KerastrashError as error:
            self.failure = str(error)
            return None

    def time_block(self, calls: np.ndarray, untimed: int) -> list[float]:
        """`clocks.time_block`; empty after a failure."""
        return self.attempt(self.process.time_block, calls, untimed) or []

    def keep(self, batch: int, seconds: list[float]) -> None:
        """Keeps the times of all blocks at a batch size, and after the first one the process's memory."""
        if not self.failure:
            self.timings[batch] = Timing.of(seconds, batch)
        if batch == 1:
            self.peak_bytes = self.attempt(self.process.peak_bytes)


def open_all(candidates: Iterable[Candidate], description: str, stack: ExitStack) -> None:
    """Opens all, one after the other; the stack closes them."""
    for candidate in track(list(candidates), description, "processes"):
        candidate.open()
        stack.callback(candidate.close)


FALLBACK: FormatName = "onnx"
"""The format of the baseline where it cannot be had in a file's own."""
Way = tuple[FormatName, str | None, int, str]
"""Format, Keras backend, threads and dtype policy: what a file and its baseline have in common."""


class Baselines:
    """The baseline net, opened in every way in which files are timed.

    Args:
        model: the baseline net.
        name: as which it was given.
        candidates: the open files that it is timed beside.
        folder: where its files are written.
        stack: ends its processes.
    """

    def __init__(
        self, model: keras.Model, name: str, candidates: Iterable[Candidate], folder: Path, stack: ExitStack
    ) -> None:
        self._model, self._name, self._folder = model, name, folder
        self._files: dict[tuple[FormatName, str], ModelFile] = {}
        self._opened: dict[Way, Candidate] = {}
        self._open({_way(candidate): None for candidate in candidates}, stack)
        failed = [(way, baseline.failure) for way, baseline in self._opened.items() if baseline.failure]
        for (form, _, threads, _), reason in failed:
            said = f"{name} cannot be timed in {FORMATS[form].runtime} with {threads} threads: {reason}"
            console.print(said, soft_wrap=True, highlight=False, markup=False)
        self._open({_fallback(threads): None for (_, _, threads, _), _ in failed}, stack)

    @property
    def running(self) -> list[Candidate]:
        """Those that could be opened."""
        return [baseline for baseline in self._opened.values() if not baseline.failure]

    def of(self, candidate: Candidate) -> Candidate | None:
        """The baseline that was timed in the candidate's runtime, else the one in ONNX Runtime; None without either, or
        where the candidate was not timed."""
        for way in (_way(candidate), _fallback(candidate.threads)):
            baseline = self._opened.get(way)
            if baseline and 1 in baseline.timings and 1 in candidate.timings:
                return baseline
        return None

    def _open(self, ways: Iterable[Way], stack: ExitStack) -> None:
        new = {way: self._candidate(*way) for way in ways if way not in self._opened}
        open_all(new.values(), "opening baselines", stack)
        self._opened |= new

    def _candidate(self, form: FormatName, backend: str | None, threads: int, dtype_policy: str) -> Candidate:
        if (form, dtype_policy) not in self._files:
            self._files[form, dtype_policy] = self._written(form, dtype_policy)
        return Candidate(self._files[form, dtype_policy], threads, backend)

    def _written(self, form: FormatName, dtype_policy: str) -> ModelFile:
        origin, path = Path(self._name), self._folder / f"{form}-{dtype_policy}"
        try:
            return ModelFile(origin, form, file_in_runtime(self._model, form, path, dtype_policy), dtype_policy)
        except KerastrashError as error:
            return ModelFile(origin, form, None, dtype_policy, str(error))


def _way(candidate: Candidate) -> Way:
    return candidate.file.format, candidate.backend, candidate.threads, candidate.file.dtype_policy


def _fallback(threads: int) -> Way:
    return FALLBACK, None, threads, "float32"
