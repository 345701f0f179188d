"""A net open in a process of its own, which answers requests and otherwise sleeps.

Its memory is its own, its threads are set once, and its Keras has one backend. What it does is in `server.py`.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerastrash.errors import KerastrashError
from kerastrash.export.format import Description
from kerastrash.processes import ending


@dataclass(frozen=True)
class Facts:
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
    """A process with an open net; itself a `Runtime`.

    Args:
        path: a model file of any format.
        threads: of the processor.
        backend: that runs a `.keras` file; the active one where it is None.

    Raises:
        KerastrashError: the file cannot be opened, or the process died; the message is its own.
    """

    def __init__(self, path: Path, threads: int, backend: str | None = None) -> None:
        self.path = path
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in `stop`
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kerastrash.scoring.benchmark.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment | ({"KERAS_BACKEND": backend} if backend else {}),
            start_new_session=True,  # an interrupt at the terminal is the parent's to deal with
        )
        try:
            self.facts: Facts = self._ask("open", path, threads)
        except BaseException:
            self.stop()
            raise
        self.name, self.input_size = self.facts.name, self.facts.input_size

    @property
    def process_id(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The net's outputs; raises KerastrashError as all requests do where it fails or the process has died."""
        return self._ask("answer", images)

    def time_block(self, calls: np.ndarray, untimed: int) -> list[float]:
        """`clocks.time_block` in the process: what the pipe takes is not counted."""
        return self._ask("time", calls, untimed)

    def peak_bytes(self) -> int | None:
        """Most memory that the process has had resident until now; None where the system does not tell."""
        return self._ask("peak")

    def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _ask(self, request: str, *arguments: object) -> Any:
        try:
            pickle.dump((request, *arguments), self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            failure, answer = pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError, pickle.UnpicklingError):
            raise KerastrashError(self._last_words()) from None
        if failure:
            raise KerastrashError(failure)
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"its process ended with {ending(code)}: {said}"
