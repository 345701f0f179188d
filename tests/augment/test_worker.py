"""The process that augments: the same pixels as without it, and no process left behind."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kerastrash.augment.augmentation import Augmentation, Worker
from kerastrash.errors import KerastrashError
from kerastrash.processes import ChildError
from kerastrash.training.batches import CropBatches

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 9, 9, 3), dtype=np.uint8)
AUGMENTATION = Augmentation(n_select=3, cutout=0.3)
DRAWS = AUGMENTATION.draw(1, 2, 12)
needs_proc = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc to look at processes")


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.fixture
def start():
    workers = []

    def worker(images):
        workers.append(Worker(images, AUGMENTATION))
        return workers[-1]

    yield worker
    for one in workers:
        one.child.close()


@pytest.mark.parametrize("kind", ["in memory", "mapped", "part of a mapped array", "not contiguous"])
def test_its_pixels_are_those_of_the_augmentation(mapped, start, kind):
    images = {
        "in memory": IMAGES,
        "mapped": mapped,
        "part of a mapped array": mapped[1:],
        "not contiguous": IMAGES[:, ::-1],
    }[kind]
    worker = start(images)
    for indices in (np.array([7, 2, 2]), np.array([0])):
        augmented = worker.augment(indices, DRAWS[indices])
        expected = [AUGMENTATION.apply(images[index], DRAWS[index]) for index in indices.tolist()]
        np.testing.assert_array_equal(augmented, expected)


def test_a_worker_that_was_killed_is_named_with_its_status_and_the_remedy(start):
    worker = start(IMAGES)
    worker.augment(np.array([0]), DRAWS[np.array([0])])
    os.kill(worker.child.pid, signal.SIGKILL)
    with pytest.raises(KerastrashError, match=r"ended with signal 9 .*--workers 0"):
        for _ in range(3):
            worker.augment(np.array([0]), DRAWS[np.array([0])])


def running(pid):
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_ended(pid):
    for _ in range(200):
        if not running(pid):
            return True
        time.sleep(0.05)
    return False


@needs_proc
def test_the_processes_end_with_the_batches():
    batches = CropBatches(IMAGES, np.arange(12), np.zeros(12), 4, AUGMENTATION, workers=2)
    assert len(batches[0][0]) == 4
    workers = [batches._augmenting.get() for _ in range(2)]
    assert all(running(worker.child.pid) for worker in workers)
    del batches
    gc.collect()
    assert all(wait_until_ended(worker.child.pid) for worker in workers)


def test_an_error_in_the_process_is_raised_with_its_traceback(start):
    with pytest.raises(ChildError, match=r"IndexError: .*--workers 0") as raised:
        start(IMAGES).augment(np.array([0, 1]), DRAWS[np.array([0])])
    assert "in apply_each" in raised.value.traceback


PARENT = """
import os, signal, sys
import numpy as np
from kerastrash.augment import Augmentation
from kerastrash.augment.augmentation import Worker
worker = Worker(np.zeros((1, 4, 4, 3), np.uint8), Augmentation())
print(worker.child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_proc
def test_a_process_ends_when_its_parent_is_killed():
    done = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert wait_until_ended(int(done.stdout))
