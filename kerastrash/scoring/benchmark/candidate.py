"""A file opened with some threads, and what has been measured of it."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from kerastrash.console import track
from kerastrash.errors import KerastrashError
from kerastrash.scoring.benchmark.files import ModelFile
from kerastrash.scoring.benchmark.process import NetProcess
from kerastrash.scoring.clocks import Timing

Result = TypeVar("Result")


@dataclass(eq=False)
class Candidate:
    """It is measured until something fails; what was measured before stays."""

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
            self.process.stop()

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
