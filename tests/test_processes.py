"""A process that answers calls: values, errors, what it prints, how it dies, and no orphan."""

import os
import subprocess
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pytest

from kerastrash.errors import ModelError
from kerastrash.processes import Child, ChildError

MODULE = """
import os, signal, sys, time
from kerastrash.errors import ModelError

class Counter:
    def __init__(self, start): self.count = start
    def add(self, number):
        self.count += number
        return self.count

def environment(name): return os.environ.get(name)
def twice(array): return array * 2
def wait(seconds): time.sleep(seconds)
def mistake(): raise ModelError("no such net; take another")
def bug(): return {}["key"]
def leave(): sys.exit(3)
def unpicklable(): return lambda: None
def die(code):
    print("the last words", file=sys.stderr, flush=True)
    os._exit(code) if code >= 0 else os.kill(os.getpid(), -code)
def say(text):
    os.write(1, b"raw ")
    print(text)
    return sys.stdin.read()
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    (tmp_path / "some_work.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return "some_work"


def test_calls_are_answered_and_what_is_kept_stays(module):
    with Child({"SOME_NAME": "value"}) as child:
        assert child.pid != os.getpid()
        assert child.call(f"{module}:environment", "SOME_NAME") == "value"
        child.keep(f"{module}:Counter", 5)
        assert [child.call("add", 1), child.call("add", 2)] == [6, 8]


def test_arrays_of_any_layout_come_back_writable(module):
    array = np.arange(24).reshape(4, 6)
    with Child() as child:
        for each in (array, array[:, ::2], array.T, array[:0]):
            answer = child.call(f"{module}:twice", each)
            np.testing.assert_array_equal(answer, each * 2)
            assert answer.flags.writeable


def test_errors_are_raised_here_and_the_process_goes_on(module):
    with Child() as child:
        with pytest.raises(ModelError, match="no such net; take another"):
            child.call(f"{module}:mistake")
        with pytest.raises(ChildError, match="KeyError: 'key'") as raised:
            child.call(f"{module}:bug")
        assert 'return {}["key"]' in raised.value.traceback
        for function, message in {"leave": "SystemExit: 3", "unpicklable": "pickle", "absent": "no attribute"}.items():
            with pytest.raises(ChildError, match=message):
                child.call(f"{module}:{function}")
        assert child.call(f"{module}:environment", "SOME_NAME") is None


def test_what_it_prints_goes_to_the_log_and_never_among_the_answers(module, tmp_path):
    for _ in range(2):
        with Child(log=tmp_path / "log") as child:
            assert child.call(f"{module}:say", "something") == ""  # nor is there anything to be read
    assert (tmp_path / "log").read_text() == "raw something\n" * 2


def test_what_it_prints_goes_to_standard_error_or_is_hidden(module, capfd):
    for hidden in (False, True):
        with Child(hidden=hidden) as child:
            child.call(f"{module}:say", "something")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "raw something\n")


@pytest.mark.parametrize(
    ("code", "log", "hidden", "ended"),
    [
        (-9, None, True, r"signal 9 \(out of memory\?\): the last words"),
        (-9, "log", False, r"signal 9 \(out of memory\?\); see .*log"),
        (-9, None, False, r"signal 9 \(out of memory\?\)"),
        (-11, None, False, "signal 11"),
        (3, None, False, "exit status 3"),
        (0, None, False, "exit status 0"),
    ],
)
def test_a_process_that_dies_says_how(module, tmp_path, code, log, hidden, ended):
    with Child(log=log and tmp_path / log, hidden=hidden) as child:
        for call in (f"{module}:die", f"{module}:environment"):
            with pytest.raises(ChildError, match=f"^its process ended with {ended}$"):
                child.call(call, code)


def test_several_work_at_once(module):
    with Child() as quick, Child() as slow:
        slow.send(f"{module}:wait", 60)
        assert wait([quick, slow], 0) == []
        quick.send(f"{module}:environment", "x")
        assert wait([quick, slow], 60) == [quick]
        assert quick.receive() is None


def test_an_interrupt_in_the_middle_of_a_call_ends_it(module, monkeypatch):
    def interrupted(stream):
        raise KeyboardInterrupt

    with Child() as child:
        child.send(f"{module}:wait", 120)
        with monkeypatch.context() as patch:
            patch.setattr("kerastrash.processes._read", interrupted)
            with pytest.raises(KeyboardInterrupt):
                child.receive()
        assert not _alive(child.pid)


@pytest.mark.parametrize("busy", [True, False])
def test_it_ends_when_its_parent_does(module, busy):
    parent = (
        "import os\nfrom kerastrash.processes import Child\n"
        f"child = Child()\nchild.call('{module}:environment', 'x')\n"
        f"{busy} and child.send('{module}:wait', 120)\n"
        "print(child.pid, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, env=environment, check=False)
    deadline = time.monotonic() + 60
    while _alive(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(int(done.stdout))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
