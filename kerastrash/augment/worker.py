"""Augments batches in processes of its own: Python's lock lets threads use little more than one core for small images.

A worker is `python -m kerastrash.augment.worker`: pickled requests on its standard input, pixels on its standard
output. It is no `multiprocessing` worker, which would run the caller's main module again. It ends when its input ends,
so also when its parent is killed.
"""

import contextlib
import mmap
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from kerastrash.augment.augmentation import Augmentation, Draws
from kerastrash.data.cache import MappedReader
from kerastrash.errors import KerastrashError


@dataclass(frozen=True)
class MappedFile:
    """An array on disk, named instead of sent."""

    path: str
    offset: int
    shape: tuple[int, ...]

    def open(self) -> np.ndarray:
        """The array, uint8, read-only."""
        return np.memmap(self.path, np.uint8, "r", self.offset, self.shape)


class Worker:
    """A process that augments one batch at a time; calls from several threads must not overlap.

    Args:
        images: uint8 (n, height, width, 3); where it is memory-mapped, the process maps it too, otherwise the rows of a
            batch are sent.
        augmentation: what is done to each image.
    """

    def __init__(self, images: np.ndarray, augmentation: Augmentation) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # an interrupt at the terminal is the parent's to deal with
        )
        self._images, self._mapped = images, _mapped_file(images)
        self._send((self._mapped, augmentation))

    @property
    def process_id(self) -> int:
        """The system's number of the process."""
        return self._process.pid

    def augment(self, indices: np.ndarray, draws: Draws) -> np.ndarray:
        """The images at `indices`, each by its row of `draws`: a new uint8 array.

        Raises:
            KerastrashError: the process has ended.
        """
        self._send((indices if self._mapped else self._images[indices], draws))
        augmented = np.empty((len(indices), *self._images.shape[1:]), np.uint8)
        if self._process.stdout.readinto(memoryview(augmented).cast("B")) < augmented.nbytes:
            raise self._ended()
        return augmented

    def stop(self) -> None:
        """Ends the process; to be called when no batch is being made."""
        self._process.kill()
        self._process.communicate()

    def _send(self, request: object) -> None:
        try:
            pickle.dump(request, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _ended(self) -> KerastrashError:
        return KerastrashError(
            f"a process that augments images ended with status {self._process.wait()}; what it said stands above, "
            "negative is a signal (-9: out of memory); --workers 0 augments without such processes"
        )


def _mapped_file(images: np.ndarray) -> MappedFile | None:
    whole = isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap)  # and no part of a mapped array
    return MappedFile(str(images.filename), images.offset, images.shape) if whole else None


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests until they end."""
    mapped, augmentation = pickle.load(requests)
    images = MappedReader(mapped.open()) if mapped else None
    while requests.peek(1):
        rows, draws = pickle.load(requests)
        pixels = images.rows(rows) if images else rows
        augmentation.apply_each(pixels, draws)
        answers.write(memoryview(pixels).cast("B"))
        answers.flush()


if __name__ == "__main__":
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent is gone
        serve(sys.stdin.buffer, sys.stdout.buffer)
