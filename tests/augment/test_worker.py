"""The process that augments: the same pixels as without it, and no process left behind."""

import gc
import os
import signal
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


@pytest.fixture
def start():
    workers = []

    def worker(images):
        workers.append(Worker(images, AUGMENTATION))
        return workers[-1]

    yield worker
    for one in workers:
        one.child.close()


KINDS = {
    "in memory": lambda mapped: IMAGES,
    "mapped": lambda mapped: mapped,
    "part of a mapped array": lambda mapped: mapped[1:],
    "not contiguous": lambda mapped: IMAGES[:, ::-1],
}


@pytest.mark.parametrize("kind", KINDS)
def test_its_pixels_are_those_of_the_augmentation(tmp_path, start, kind):
    np.save(tmp_path / "images.npy", IMAGES)
    images = KINDS[kind](np.load(tmp_path / "images.npy", mmap_mode="r"))
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


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc to look at processes")
def test_the_processes_end_with_the_batches():
    batches = CropBatches(IMAGES, np.arange(12), np.zeros(12), 4, AUGMENTATION, workers=2)
    assert len(batches[0][0]) == 4
    workers = [batches._augmenting.get() for _ in range(2)]
    assert all(len(worker.augment(np.arange(2), DRAWS[:2])) == 2 for worker in workers)
    processes = [Path(f"/proc/{worker.child.pid}") for worker in workers]
    del batches
    gc.collect()
    deadline = time.monotonic() + 10
    while any(process.exists() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(process.exists() for process in processes)


def test_an_error_in_the_process_is_raised_with_its_traceback(start):
    with pytest.raises(ChildError, match=r"IndexError: .*--workers 0") as raised:
        start(IMAGES).augment(np.array([0, 1]), DRAWS[np.array([0])])
    assert "in apply_each" in raised.value.traceback
