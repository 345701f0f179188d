"""A job in a process of its own: its result, and every way in which it can fail."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from kerastrash.comparison.job import RESULT, Job, read_result
from kerastrash.comparison.worker import run_here, run_in_process
from kerastrash.data import DataConfig
from kerastrash.files import read_json
from kerastrash.models.layers import Conv, Pool
from kerastrash.runs import ENVIRONMENT
from kerastrash.training.recipe import Recipe

ROWS = (Conv(8, kernel=3, stride=2), Pool())


@pytest.fixture
def job(photographs, tmp_path) -> Job:
    data = DataConfig(data=str(photographs), cache=tmp_path / "cache")
    recipe = Recipe(epochs=1, batch_size=8, n_select=0, workers=0)
    return Job("base", "trained", tmp_path / "base" / "seed-3", data, recipe, 16, None)


def test_a_process_leaves_model_result_and_environment(job):
    result = run_in_process(job, ROWS)
    assert result.status == "finished", result.reason
    assert result == read_result(job.folder)
    assert job.model.exists()
    assert (result.epochs, result.input_size) == (1, 16)
    assert result.device and result.seconds > 0
    assert "packages" in read_json(job.folder / ENVIRONMENT)


def test_a_process_that_is_killed_is_a_failure_with_its_signal(job):
    thread = threading.Thread(target=_kill_worker_of, args=(os.getpid(),))
    thread.start()
    result = run_in_process(job, ROWS)
    thread.join()
    assert (result.status, result.reason) == ("failed", "its process ended with signal 9 (out of memory?)")
    assert read_result(job.folder) == result


def test_what_a_user_can_mend_is_the_reason(job, tmp_path):
    result = run_here(replace(job, data=DataConfig(data=str(tmp_path / "absent"))), ROWS)
    assert (result.status, result.traceback) == ("failed", "")
    assert "absent: no such file or folder" in result.reason


def test_any_other_error_is_a_failure_too_and_keeps_its_traceback(job):
    result = run_here(replace(job, input_size=None), ROWS)  # which no reader of systems files lets pass
    assert result.status == "failed"
    assert result.reason.startswith("TypeError: ") and str(job.folder / RESULT) in result.reason
    assert "Traceback" in result.traceback and "prepare" in result.traceback


def _kill_worker_of(parent: int) -> None:
    search = ["pgrep", "-P", str(parent), "-f", "kerastrash.comparison.worker"]
    while not (found := subprocess.run(search, capture_output=True, text=True, check=False).stdout.split()):
        time.sleep(0.05)
    os.kill(int(found[0]), signal.SIGKILL)
