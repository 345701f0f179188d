"""`gpu_check.py`: a part that fails, dies or hangs has its reason in the report, and the others run all the same."""

import importlib
import shlex
import sys
from pathlib import Path

import pytest

from kerastrash.data import DataConfig
from kerastrash.files import read_json
from kerastrash.processes import Child

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PARTS = """
import os, subprocess, sys, time
from gpu.plan import Found
from kerastrash.errors import ConfigError
from kerastrash.reports.tables import PlainTable

def there(config):
    return Found((PlainTable(("", "here"), (("device", os.environ["KERAS_TORCH_DEVICE"]),), title="what is there"),))

def not_there(config):
    raise ConfigError("no GPU is there; get one")

def passes(config):
    return Found((PlainTable(("step", "ms"), (("one", "2.5"),), title="a step"),), ("a note",))

def fails(config):
    return Found(failures=("one test: 3 is above 2",))

def breaks(config):
    return {}["nothing"]

def dies(config):
    os._exit(3)

def hangs(config):
    print("begun", flush=True)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print("child", child.pid, flush=True)
    time.sleep(60)
"""

PEER = """
import pathlib, sys
(data,) = (pathlib.Path(word[7:]) for word in sys.argv if word.startswith("--data="))
assert len([path for path in data.iterdir() if path.is_dir()]) == 2
print("5.0 images/s, then 40.0 images/s")
"""

TESTS = """
import pytest

def test_one(record_property):
    record_property("losses", "3e-1 (at most 0.1)")
    assert 3 <= 2, "losses: 3 is above 2"

def test_two():
    pytest.skip("graphs: not on this device")

@pytest.fixture
def fails():
    raise ValueError("no fixture")

def test_three(fails):
    pass

def test_four():
    pass
"""


@pytest.fixture
def checked(here, monkeypatch, capsys):
    """`checked({"nets": "hangs"}, "--minutes 0.1")` -> exit status, what is printed; the report lies in out/."""
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.syspath_prepend(str(SCRIPTS))
    (here / "stand_ins.py").write_text(PARTS)
    gpu_check = importlib.import_module("gpu_check")

    def run(functions: dict[str, str], line: str = "") -> tuple[int, str]:
        parts = {name: gpu_check.Part(f"stand_ins:{function}", 2) for name, function in functions.items()}
        monkeypatch.setattr(gpu_check, "PARTS", parts)
        monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--device", "cpu", "--output", "out", *shlex.split(line)])
        with pytest.raises(SystemExit) as stop:
            gpu_check.script(gpu_check.main)
        captured = capsys.readouterr()
        return stop.value.code, captured.out + captured.err.replace("\n", " ")

    return run


def test_a_part_that_fails_breaks_or_dies_is_named_with_its_reason_and_the_others_run(checked):
    status, printed = checked(
        {"environment": "there", "nets": "fails", "steps": "breaks", "speed": "dies", "recipe": "passes"}
    )
    assert status == 1 and "failed: nets, steps, speed" in printed
    report, parts = Path("out/report.md").read_text(), read_json("out/report.json")["parts"]
    reasons = {part["name"]: "".join(part["failures"]) for part in parts}
    assert [part["passed"] for part in parts] == [True, False, False, False, True]
    assert reasons["nets"] == "one test: 3 is above 2"
    assert "KeyError: 'nothing'" in reasons["steps"] and "Traceback" in Path("out/steps.log").read_text()
    assert "exit status 3" in reasons["speed"]
    for text in ("### what is there", "| device | cpu |", "### a step", "| one | 2.5 |", "a note", reasons["nets"]):
        assert text in report


def test_a_part_that_hangs_is_ended_with_what_it_has_started(checked):
    status, _ = checked({"environment": "there", "latency": "hangs"}, "--minutes 0.15")
    (reason,) = read_json("out/report.json")["parts"][1]["failures"]
    assert status == 1 and reason.startswith("not done after") and "last: child" in reason
    grandchild = Path(f"/proc/{reason.split()[-1]}/cmdline")
    assert not grandchild.exists() or not grandchild.read_bytes()  # ended, or waiting to be cleared away


def test_parts_are_chosen_and_a_device_that_is_not_there_ends_it_with_a_sentence(checked):
    status, _ = checked({"environment": "there", "nets": "fails", "recipe": "passes"}, "--parts recipe")
    assert status == 0
    assert [part["name"] for part in read_json("out/report.json")["parts"]] == ["environment", "recipe"]
    status, printed = checked({"environment": "not_there", "recipe": "passes"})
    assert status == 2 and "error: no GPU is there; get one" in printed


@pytest.fixture
def speed(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("gpu.speed")


@pytest.mark.parametrize("part", ["speed", "end_to_end_speed"])
def test_training_is_timed_beside_a_peer(speed, here, part):
    (here / "train_peer.py").write_text(PEER)
    data = DataConfig(data=str(here / "images"), cache=here / "cache")
    found = getattr(speed, part)(speed.GpuCheck(device="cpu", quick=True, peer=here, data=data))
    (table,) = found.tables
    assert [row[0] for row in table.rows] == ["kerastrash", "peer"] and table.columns[-1] == "of peer"
    (_, ours, *_, ratio), (_, theirs, *_) = table.rows
    assert theirs == "40.0" and float(ours) == pytest.approx(40 * float(ratio), abs=0.3)
    assert not found.failures and "mobilenetv3_79, 32 px, batch 8, float32" in table.title


def test_a_peer_that_fails_is_named_and_ours_is_timed_all_the_same(speed, here):
    (here / "train_peer.py").write_text("raise SystemExit('no torchvision here')")
    found = speed.speed(speed.GpuCheck(device="cpu", quick=True, peer=here))
    assert [row[0] for row in found.tables[0].rows] == ["kerastrash"]
    assert found.failures and "no torchvision here" in found.failures[0]


def test_a_batch_that_does_not_fit_is_a_note(speed):

    def too_large():
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    found = speed.beside(speed.GpuCheck(device="cpu"), "a step", too_large, too_large, turns=1)
    assert found == speed.Found(notes=("a step: the device has not enough memory",))


def test_tests_that_fail_or_cannot_begin_are_rows_with_what_they_measured(speed, tmp_path):
    (tmp_path / "some.py").write_text(TESTS)
    (tmp_path / "broken.py").write_text("import nothing_there")
    with Child(hidden=True) as child:
        found = child.call("gpu.correctness:tested", tmp_path / "some.py")
        broken = child.call("gpu.correctness:tested", tmp_path / "broken.py")
    assert found.tables[0].rows == [
        ("one", "failed", "losses 3e-1 (at most 0.1); AssertionError: losses: 3 is above 2"),
        ("two", "skipped", "graphs: not on this device"),
        ("three", "failed", "ValueError: no fixture"),
        ("four", "passed", ""),
    ]
    assert [failure.partition(":")[0] for failure in found.failures] == ["one", "three"]
    assert not broken.tables[0].rows and "No module named 'nothing_there'" in broken.failures[0]
