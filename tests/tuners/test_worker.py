"""A trial in its own process: results, failures by name, and no orphan."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kerastrash.data.config import DataConfig
from kerastrash.models.layers import Conv, Pool
from kerastrash.scoring.config import ClockConfig
from kerastrash.settings import part_of
from kerastrash.training.recipe import Recipe
from tuners.oracle import FAILED_SCORE
from tuners.trial import TrialSpec, read_result, read_spec, write_spec
from tuners.worker import LOG, run_in_process

ROWS = (Conv(8, kernel=3, stride=2), Pool())


@pytest.fixture
def spec(config, tmp_path) -> TrialSpec:
    return TrialSpec(
        folder=tmp_path / "trial",
        data=part_of(DataConfig, config),
        recipe=Recipe(epochs=2, batch_size=8, n_select=0),
        input_size=16,
        until=2,
        clock=part_of(ClockConfig, config),
        latency_folder=tmp_path / "latency",
    )


def test_a_spec_survives_its_file(spec):
    spec = dataclasses.replace(spec, parent=spec.folder / "parent")
    write_spec(spec, ROWS)
    assert read_spec(spec.folder) == spec


def test_a_trial_gives_its_score_and_reports_its_epochs(spec):
    write_spec(spec, ROWS)
    seen = set()
    result = run_in_process(spec.folder, seen.add)
    assert result.status == "finished", result.reason
    assert result == read_result(spec.folder)
    assert 0 <= result.f1 <= 1
    assert result.time_ms > 0
    assert result.epochs == 2
    assert seen <= {0, 1, 2}
    ratio = result.time_s / result.baseline_time_s
    assert result.score > 0.5 * ratio
    assert "Fatal Python error" not in (spec.folder / LOG).read_text()


def test_a_trial_that_diverges_fails_with_its_reason(spec):
    recipe = Recipe(epochs=40, batch_size=8, learning_rate=99, weight_decay=0.9, n_select=0)
    write_spec(dataclasses.replace(spec, recipe=recipe, until=40), ROWS)
    result = run_in_process(spec.folder)
    assert (result.status, result.score) == ("failed", FAILED_SCORE)
    assert "lower the learning rate" in result.reason
    assert read_result(spec.folder) == result


def test_a_trial_whose_process_is_killed_fails_with_the_signal(spec):
    write_spec(dataclasses.replace(spec, until=2), ROWS)
    thread = threading.Thread(target=_kill_worker_of, args=(os.getpid(),))
    thread.start()
    result = run_in_process(spec.folder)
    thread.join()
    assert result.status == "failed"
    assert "signal 9" in result.reason


def test_a_worker_ends_when_its_parent_does(spec):
    write_spec(dataclasses.replace(spec, until=2), ROWS)
    command = [sys.executable, "-m", "tuners.worker", str(spec.folder)]
    parent = (
        "import os, subprocess\n"
        f"child = subprocess.Popen({command}, stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    pid = int(subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=False).stdout)
    deadline = time.monotonic() + 120
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(pid)
    assert read_result(spec.folder) is None


def _kill_worker_of(parent: int) -> None:
    search = ["pgrep", "-P", str(parent), "-f", "tuners.worker"]
    while not (found := subprocess.run(search, capture_output=True, text=True, check=False).stdout.split()):
        time.sleep(0.05)
    os.kill(int(found[0]), signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
