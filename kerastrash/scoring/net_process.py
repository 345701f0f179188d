"""A net open in a process of its own: its memory is its own, its threads are set once, its Keras has one backend."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerastrash.export.format import Description
from kerastrash.export.formats import open_runtime
from kerastrash.processes import Child
from kerastrash.scoring.clocks import time_block


@dataclass(frozen=True)
class NetFacts:
    """What a process says of the net that it has opened."""

    name: str
    """The runtime's, such as `onnxruntime`."""
    input_size: int
    classes: int
    device: str
    description: Description
    bytes_before: int | None
    """Peak memory of the process before it opened the file; None where the system does not tell."""


class NetProcess:
    """A process with an open net, which answers requests and otherwise sleeps; itself a `Runtime`.

    Args:
        path: a model file of any format.
        threads: of the processor.
        backend: that runs a `.keras` file; the active one where it is None.

    Raises:
        KerastrashError: the file cannot be opened, or the process died; so do all requests.
    """

    def __init__(self, path: Path, threads: int, backend: str | None = None) -> None:
        self.path = path
        self.child = Child({"KERAS_BACKEND": backend} if backend else None, hidden=True)
        try:
            self.child.keep(f"{__name__}:ServedNet", path, threads)
            self.facts: NetFacts = self.child.call("facts")
        except BaseException:
            self.child.close()
            raise
        self.name, self.input_size, self.description = self.facts.name, self.facts.input_size, self.facts.description

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The net's outputs for a batch."""
        return self.child.call("answer", images)

    def time_block(self, calls: np.ndarray, untimed: int) -> list[float]:
        """`clocks.time_block` in the process: what the pipe takes is not counted."""
        return self.child.call("time_block", calls, untimed)

    def peak_bytes(self) -> int | None:
        """Most memory that the process has had resident until now; None where the system does not tell."""
        return self.child.call(f"{__name__}:peak_memory")

    def close(self) -> None:
        """Ends the process."""
        self.child.close()


class ServedNet:
    """The net in the process, and what can be asked of it."""

    def __init__(self, path: Path, threads: int) -> None:
        self._before = peak_memory()
        self._net = open_runtime(path, threads)

    def facts(self) -> NetFacts:
        """What is known of the net."""
        net = self._net
        return NetFacts(net.name, net.input_size, net.classes, net.device, net.description, self._before)

    def answer(self, images: np.ndarray) -> np.ndarray:
        """The outputs for a batch."""
        return self._net(images)

    def time_block(self, calls: np.ndarray, untimed: int) -> list[float]:
        """The seconds of each call."""
        return time_block(self._net, calls, untimed)


def peak_memory() -> int | None:
    """Bytes that this process has had resident at most; None where /proc does not tell.

    Not `ru_maxrss`: on Linux a new process inherits that of the one which started it.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
