"""A module in a process of its own: its status, its output, and no orphan."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerastrash.processes import ending, run_module

MODULE = """
import sys, time
from kerastrash.processes import end_with_parent
end_with_parent()
if sys.argv[1] == "wait":
    time.sleep(120)
print("said", sys.argv[2])
sys.exit(3)
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    (tmp_path / "some_work.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return "some_work"


def test_it_gives_the_exit_status_and_what_was_printed(module, tmp_path):
    with (tmp_path / "log").open("wb") as log:
        assert run_module(module, "go", 5, output=log) == 3
    assert (tmp_path / "log").read_text() == "said 5\n"


def test_what_is_printed_goes_to_standard_error(module, capfd):
    run_module(module, "go", 5)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "said 5\n")


def test_an_error_while_it_runs_ends_it(module):
    polls = []

    def interrupt():
        polls.append(1)
        if len(polls) > 1:
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_module(module, "wait", 5, on_poll=interrupt)
    assert time.monotonic() - started < 60


def test_it_ends_when_its_parent_does(module, tmp_path):
    command = [sys.executable, "-m", module, "wait", "5"]
    parent = (
        "import os, subprocess\n"
        f"child = subprocess.Popen({command}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, env=environment, check=False)
    deadline = time.monotonic() + 60
    while _alive(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(int(done.stdout))


def test_endings_are_words():
    assert [ending(code) for code in (0, 3, -11, -9)] == [
        "exit status 0",
        "exit status 3",
        "signal 11",
        "signal 9 (out of memory?)",
    ]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
