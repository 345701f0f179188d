"""Real searches in real processes: promotion, failures, kill and resume."""

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from kerastrash.errors import ConfigError, KerastrashError
from kerastrash.files import read_csv
from kerastrash.models import load_rows, preset, scale_rows
from kerastrash.models.saved import open_model
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.settings import to_dict
from tuners.config import Space
from tuners.oracle import Rung
from tuners.search import Trial, best_trial, write_trials
from tuners.trial import TrialResult, read_spec
from tuners.tune import tune

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "tune.py"
VARYING = ("seconds",)


def command(config, path) -> list[str]:
    path.write_text(yaml.safe_dump(to_dict(config)))
    return [sys.executable, str(SCRIPT), "--config", str(path)]


def rows(run: Path) -> list[dict]:
    with (run / "trials.csv").open(newline="") as stream:
        return [{key: value for key, value in row.items() if key not in VARYING} for row in csv.DictReader(stream)]


def wait_for(condition, process, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_search_killed_in_a_trial_goes_on_and_gives_the_same_result(finished, tmp_path):
    whole, config = finished
    killed = dataclasses.replace(config, name="killed")
    trials = killed.folder / "trials"
    arguments = command(killed, tmp_path / "killed.yaml")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: (trials / "0002" / "metrics.csv").exists(), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = trials / "0000" / "result.json"
    before = first.stat().st_mtime_ns, (trials / "0000" / "last.weights.h5").stat().st_mtime_ns
    time.sleep(1)
    assert not (trials / "0002" / "result.json").exists()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert rows(killed.folder) == rows(whole.folder)
    assert before == (first.stat().st_mtime_ns, (trials / "0000" / "last.weights.h5").stat().st_mtime_ns)
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), "uint8")
    ours, theirs = (
        keras.ops.convert_to_numpy(open_model(run / "best.keras")(images)) for run in (killed.folder, whole.folder)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_what_a_search_leaves(finished):
    tuned, config = finished
    table = rows(tuned.folder)
    assert [row["status"] for row in table] == ["finished"] * 5
    assert tuned.best.result.score == min(float(row["score"]) for row in table)
    for name in ("config.yaml", "environment.json", "report.md", "trials.png", "best.keras", "best.yaml", "score.json"):
        assert (tuned.folder / name).stat().st_size > 0
    report = (tuned.folder / "report.md").read_text()
    assert all(f"| {row['trial']} | {float(row['score']):.4f} |" in report for row in table)
    promoted = next(row for row in table if row["parent"])
    history = read_csv(tuned.folder / "trials" / promoted["trial"] / "metrics.csv")
    parent = read_csv(tuned.folder / "trials" / promoted["parent"] / "metrics.csv")
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert history[0] == parent[0]  # a promoted trial continues its parent, it does not start again
    with pytest.raises(ConfigError, match="max_epochs=2, not 4"):
        tune(dataclasses.replace(config, max_epochs=4))
    again = tune(dataclasses.replace(config, retrain_epochs=1))
    assert rows(again.folder) == table
    assert (again.folder / "retrained-1" / "best.keras").read_bytes() == again.model.read_bytes()


def test_what_auto_stood_for_is_stored_in_its_place(finished):
    tuned, config = finished
    runtime = resolve_runtime(config).runtime
    assert (config.runtime, runtime) in (("auto", "onnx"), ("auto", "keras"))
    assert yaml.safe_load((tuned.folder / "config.yaml").read_text())["runtime"] == runtime
    spec = read_spec(tuned.best.folder)
    assert spec.clock.runtime == runtime
    assert tuned.score.runtime == {"onnx": "onnxruntime", "keras": f"keras-{keras.backend.backend()}"}[runtime]


def test_a_given_net_is_searched_in_width_and_depth(config):
    space = Space(widths=(0.5,), depths=(0.5,), n_select=(0,), batch_sizes=(8,))
    tuned = tune(dataclasses.replace(config, net="mobilenetv3_79", space=space, max_epochs=1))
    assert load_rows(tuned.folder / "best.yaml") == scale_rows(preset("mobilenetv3_79"), 0.5, 0.5)
    (row,) = rows(tuned.folder)
    assert (row["width"], row["depth"]) == ("0.5", "0.5")
    assert "w0.5 d0.5" in (tuned.folder / "report.md").read_text()


def trial(folder, name, **result) -> Trial:
    rung = Rung(bracket=0, round=0, initial_epoch=0, epochs=2, parent=None)
    return Trial(name, {"width": 0.5}, rung, TrialResult(**result), folder / "trials" / name)


def test_failed_trials_are_listed_with_their_reason_and_never_the_best(tmp_path):
    failed = trial(tmp_path, "0000", status="failed", reason="the loss is nan")
    good, better = (
        trial(tmp_path, name, status="finished", score=score) for name, score in (("0001", 1.2), ("0002", 1.1))
    )
    assert best_trial([failed, good, better]) is better
    write_trials([failed, good], tmp_path / "trials.csv")
    first, second = rows(tmp_path)
    assert (first["status"], first["reason"], first["score"]) == ("failed", "the loss is nan", "")
    assert (second["status"], second["score"], second["width"]) == ("finished", "1.2", "0.5")


def test_a_search_whose_every_trial_failed_says_why_and_where_to_look(tmp_path):
    trials = [trial(tmp_path, name, status="failed", reason="the loss is nan") for name in ("0000", "0001")]
    with pytest.raises(KerastrashError, match=r"all 2 trials failed.*the loss is nan.*0000/trial\.log"):
        best_trial(trials)
