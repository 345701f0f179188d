"""A file of a benchmark, open in a process of its own: its memory is its own, its Keras has one backend.

The process imports this module, and is to hold neither keras nor torch where its runtime does not need them.
"""

import contextlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from kerastrash.errors import KerastrashError
from kerastrash.export.format import OpenNet
from kerastrash.export.formats import FormatName
from kerastrash.processes import Child
from kerastrash.scoring.clocks import Timing, time_block
from kerastrash.scoring.opening import open_timed, say_device

Result = TypeVar("Result")
Way = tuple[FormatName, str | None, int, str]
"""Format, Keras backend, threads and dtype policy: what a file and its baseline have in common."""


@dataclass(eq=False)
class Candidate:
    """A file with some threads; it is measured until something fails, and what was measured before stays."""

    model: Path
    """The file as it was named; `path` is that, or what was written from it, and None where there is no file."""
    format: FormatName | None
    """None where the file is of no known format."""
    path: Path | None
    dtype_policy: str = "float32"
    """Keras's, of a `.keras` file."""
    threads: int = 1
    backend: str | None = None
    """Keras's, for a `.keras` file; None is the active one."""
    failure: str = ""
    """Why there is no file, or what failed first."""
    process: Child | None = field(default=None, init=False)
    net: OpenNet | None = field(default=None, init=False)
    """The file's, which runs in the process."""
    bytes_before: int | None = field(default=None, init=False)
    """Peak memory of the process before it opened the file; None where the system does not tell."""
    peak_bytes: int | None = field(default=None, init=False)
    """The same when it had been timed at batch 1."""
    timings: dict[int, Timing] = field(default_factory=dict, init=False)
    """Times by batch."""

    @property
    def way(self) -> Way:
        """How it is run."""
        return self.format, self.backend, self.threads, self.dtype_policy

    def open(self, stack: ExitStack, accelerator: str = "") -> None:
        """Opens the file in a process, which answers requests and otherwise sleeps; the stack ends it.

        Args:
            accelerator: as `opening.open_timed` takes it; what stays on the processor instead is said.
        """
        if self.failure:
            return
        environment = {"KERAS_BACKEND": self.backend} if self.backend else {}
        self.process = stack.enter_context(Child(environment, hidden=True))
        self.attempt(self._serve, accelerator)
        if self.failure:
            self.process.close()

    def _serve(self, accelerator: str) -> None:
        before = self.process.call(f"{__name__}:peak_memory")
        self.process.keep(f"{__name__}:ServedNet", self.path, self.threads, accelerator)
        self.net = replace(self.process.call("facts"), run=partial(self.process.call, "net"))
        self.bytes_before = before
        say_device(self.path, self.net, accelerator)

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
        """`clocks.time_block` in the process, so that what the pipe takes is not counted; empty after a failure."""
        return self.attempt(self.process.call, "time_block", calls, untimed) or []

    def keep(self, batch: int, seconds: list[float]) -> None:
        """Keeps the times of all blocks at a batch size, and after the first one the process's memory."""
        if not self.failure:
            self.timings[batch] = Timing.of(seconds, batch)
        if batch == 1:
            self.peak_bytes = self.attempt(self.process.call, f"{__name__}:peak_memory")


class ServedNet:
    """The net in the process, and what can be asked of it."""

    def __init__(self, path: Path, threads: int, accelerator: str) -> None:
        self.net = open_timed(path, threads, accelerator)

    def facts(self) -> OpenNet:
        """All but the net itself."""
        return replace(self.net, run=None)

    def time_block(self, calls: np.ndarray, untimed: int) -> list[float]:
        """The seconds of each call."""
        return time_block(self.net, calls, untimed)


def peak_memory() -> int | None:
    """Bytes that this process has had resident at most; None where /proc does not tell.

    Not `ru_maxrss`: on Linux a new process inherits that of the one which started it.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
