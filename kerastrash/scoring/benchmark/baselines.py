"""The baseline net beside every file: in the same format with as many threads, or else in ONNX Runtime."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import keras

from kerastrash.console import console
from kerastrash.export.formats import FORMATS, FormatName
from kerastrash.scoring.benchmark.candidate import Candidate, open_all
from kerastrash.scoring.benchmark.files import ModelFile, written_file

FALLBACK: FormatName = "onnx"
"""The format of the baseline where it cannot be had in a file's own."""
Kind = tuple[FormatName, str | None, int]
"""Format, Keras backend and threads: what a file and its baseline have in common."""


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
        self._files: dict[FormatName, ModelFile] = {}
        self._opened: dict[Kind, Candidate] = {}
        self._open({_kind(candidate): None for candidate in candidates}, stack)
        failed = [(kind, baseline.failure) for kind, baseline in self._opened.items() if baseline.failure]
        for (form, _, threads), reason in failed:
            said = f"{name} cannot be timed in {FORMATS[form].runtime} with {threads} threads: {reason}"
            console.print(said, soft_wrap=True, highlight=False, markup=False)
        self._open({(FALLBACK, None, threads): None for (_, _, threads), _ in failed}, stack)

    @property
    def running(self) -> list[Candidate]:
        """Those that could be opened."""
        return [baseline for baseline in self._opened.values() if not baseline.failure]

    def of(self, candidate: Candidate) -> Candidate | None:
        """The baseline that was timed in the candidate's runtime, else the one in ONNX Runtime; None without either, or
        where the candidate was not timed."""
        for kind in (_kind(candidate), (FALLBACK, None, candidate.threads)):
            baseline = self._opened.get(kind)
            if baseline and 1 in baseline.timings and 1 in candidate.timings:
                return baseline
        return None

    def _open(self, kinds: Iterable[Kind], stack: ExitStack) -> None:
        new = {kind: self._candidate(*kind) for kind in kinds if kind not in self._opened}
        open_all(new.values(), "opening baselines", stack)
        self._opened |= new

    def _candidate(self, form: FormatName, backend: str | None, threads: int) -> Candidate:
        if form not in self._files:
            self._files[form] = written_file(Path(self._name), self._model, form, self._folder / form)
        return Candidate(self._files[form], threads, backend)


def _kind(candidate: Candidate) -> Kind:
    return candidate.file.format, candidate.backend, candidate.threads
