"""The backend under test, and a data set small enough to train on."""

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")  # what is expected is exact there; backends/gpu is for a GPU

with contextlib.suppress(ImportError):
    import triton  # noqa: F401  before TensorFlow, of whose LLVM a later one ends the process; torch.optim would be later

import numpy as np
import pytest
from rich.console import Console

from kerastrash.backends import fix_threads
from kerastrash.data import Crop, Dataset
from kerastrash.jobs import begin, perform

fix_threads(1)  # jax and tensorflow keep what they start with, and runtimes are opened with one thread

COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])


@pytest.fixture(scope="session")
def coloured_squares() -> Dataset:
    """A data set small enough to train on in a test, three classes, each a colour, with noise.

    60 images of 16 px: 36 to train, 12 to validate, 12 to test.
    """
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = np.clip(COLOURS[labels][:, None, None] + rng.normal(0, 40, (60, 16, 16, 3)), 0, 255).astype("uint8")
    return Dataset(
        name="squares",
        classes=("red", "green", "blue"),
        crops=tuple(Crop(Path(f"{i}.png"), None, int(label), str(i)) for i, label in enumerate(labels)),
        images=images,
        labels=labels.astype("int64"),
        groups=np.array([str(i) for i in range(60)]),
        sizes=np.full((60, 2), 16),
        splits={"train": np.arange(36), "val": np.arange(36, 48), "test": np.arange(48, 60)},
        left_out=(),
        fingerprint="squares",
        input_size=16,
    )


class OneAtATime:
    """An engine that does a job in this process when it is waited for; it holds one."""

    def submit(self, job):
        self._waiting = job, begin(job)

    def wait(self, seconds=None):
        return self._waiting[0], perform(*self._waiting)

    def cancel(self, job):
        self._waiting = None


@pytest.fixture(scope="session")
def here() -> OneAtATime:
    """Runs jobs in this process, so that a test can look on, or into the backend that it has started."""
    return OneAtATime()


@pytest.fixture
def drawn() -> Callable[..., str]:
    """Prints to a console of 200 columns and returns the text."""

    def draw(*objects: object) -> str:
        text = io.StringIO()
        Console(file=text, width=200).print(*objects, sep="\n")
        return text.getvalue()

    return draw
