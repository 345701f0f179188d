"""The process that `NetProcess` starts: `python -m kerastrash.scoring.benchmark.server`.

Pickled requests on its standard input, pickled answers on its standard output. It ends when its input ends, so also
when its parent is killed.
"""

import contextlib
import os
import pickle
import sys
import traceback
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kerastrash.errors import KerastrashError
from kerastrash.export.formats import open_runtime
from kerastrash.export.open_net import OpenNet
from kerastrash.scoring.benchmark.process import Facts
from kerastrash.scoring.clocks import time_block


class Server:
    """One net, and what can be asked of it."""

    def __init__(self) -> None:
        self._net: OpenNet | None = None

    def open(self, path: Path, threads: int) -> Facts:
        """Opens the file with so many threads."""
        before = peak_memory()
        self._net = net = open_runtime(path, threads)
        return Facts(net.name, net.input_size, net.classes, net.device, net.description, before)

    def answer(self, images: np.ndarray) -> np.ndarray:
        """The outputs for a batch."""
        return self._net(images)

    def time(self, calls: np.ndarray, untimed: int) -> list[float]:
        """The seconds of each call."""
        return time_block(self._net, calls, untimed)

    def peak(self) -> int | None:
        """Peak memory until now."""
        return peak_memory()


def peak_memory() -> int | None:
    """Bytes that this process has had resident at most; None where /proc does not tell.

    Not `ru_maxrss`: on Linux a new process inherits that of the one which started it.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers (method of Server, arguments...) with (sentence of what failed or None, what the method gave)."""
    server = Server()
    while True:
        request, *arguments = pickle.load(requests)
        try:
            reply = None, getattr(server, request)(*arguments)
        except KerastrashError as error:
            reply = str(error), None
        except Exception as error:  # whatever a runtime raises is this row's failure, not the benchmark's
            traceback.print_exc()
            reason = str(error).strip().partition("\n")[0]
            reply = f"{type(error).__name__}: {reason}", None
        pickle.dump(reply, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what runtimes print must not stand among the answers
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent is gone
        serve(sys.stdin.buffer, channel)
