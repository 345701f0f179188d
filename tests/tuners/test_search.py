"""Real searches in real processes: promotion, failures, kill and resume."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from kerastrash.data import prepare
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.errors import ConfigError, KerastrashError, ModelError
from kerastrash.files import read_csv, read_json
from kerastrash.jobs import JOB, RESULT, JobResult
from kerastrash.models import dump_rows, load_rows, macs, preset, scale_rows
from kerastrash.models.saved import open_model
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.settings import to_dict
from tuners.config import Space
from tuners.oracle import Rung
from tuners.search import Search, Trial, best_trial
from tuners.trial import training_inputs
from tuners.tune import finish_best, tune

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "tune.py"
DATASET = synthetic_dataset(12, 6, 16, classes=3)
RECIPE = {"n_select": 0, "loss": "cross_entropy", "learning_rate": 0.1, "batch_size": 8}
VALUES = {"input_size": 16, "width": 0.25, "depth": 0.5, **RECIPE}


def rows(run: Path) -> list[dict]:
    """The rows of trials.csv without what varies."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_csv(run / "trials.csv")]


def test_a_search_killed_in_a_trial_goes_on_and_gives_the_same_result(finished, tmp_path):
    whole, config = finished
    killed = dataclasses.replace(config, name="killed")
    (tmp_path / "killed.yaml").write_text(yaml.safe_dump(to_dict(killed)))
    arguments = [sys.executable, str(SCRIPT), "--config", str(tmp_path / "killed.yaml")]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = config.runs / "killed"
    first, _, third = (folder / "trials" / trial.folder.name for trial in whole.trials[:3])
    deadline = time.monotonic() + 240
    while not (third / "metrics.csv").exists():
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = [(first / name).stat().st_mtime_ns for name in (RESULT, "last.weights.h5")]
    time.sleep(1)
    assert not (third / RESULT).exists()
    free = ["--recipe.workers=1", f"--latency-folder={config.runs / 'latency'}"]  # on which no result depends
    done = subprocess.run([*arguments, *free], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert rows(folder) == rows(whole.folder)
    assert before == [(first / name).stat().st_mtime_ns for name in (RESULT, "last.weights.h5")]
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), "uint8")
    answers = [keras.ops.convert_to_numpy(open_model(run / "best.keras")(images)) for run in (folder, whole.folder)]
    np.testing.assert_array_equal(*answers)


def test_what_a_search_leaves(finished):
    tuned, config = finished
    table = rows(tuned.folder)
    assert [row["status"] for row in table] == ["finished"] * 5
    assert tuned.best.score == min(float(row["score"]) for row in table)
    files = ("config.yaml", "environment.json", "report.md", "predictions.png", "training.png", "trials.png")
    for name in (*files, "best.keras", "best.yaml", "score.json"):
        assert (tuned.folder / name).stat().st_size > 0
    report = (tuned.folder / "report.md").read_text()
    assert all(f"| {row['trial']} | {float(row['score']):.4f} |" in report for row in table)
    promoted = next(row for row in table if row["parent"])
    folders = {row["trial"]: tuned.folder / "trials" / row["folder"] for row in table}
    history = read_csv(folders[promoted["trial"]] / "metrics.csv")
    parent = read_csv(folders[promoted["parent"]] / "metrics.csv")
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert history[0] == parent[0]  # a promoted trial continues its parent, it does not start again
    with pytest.raises(ConfigError, match="max_epochs=2, not 4"):
        tune(dataclasses.replace(config, max_epochs=4))
    again = tune(dataclasses.replace(config, retrain_epochs=1))
    assert rows(again.folder) == table
    stored = read_json(again.folder / "retrained-1" / RESULT)["value"]["f1"] >= again.best.result.value["f1"]
    kept = again.folder / "retrained-1" if stored else again.best.folder
    assert (kept / "best.keras").read_bytes() == (again.folder / "best.keras").read_bytes()


FIGURES = r"\(validation F1 0.7500, the trial's 0.7[0-9]{3}\)"


@pytest.mark.parametrize(
    ("f1", "anew", "kept", "said"),
    [
        (0.74, JobResult("finished", {"f1": 0.75}), "anew", f"trained anew for 3 epochs {FIGURES}"),
        (0.76, JobResult("finished", {"f1": 0.75}), "trial", f"the trial left it: trained anew .* is worse {FIGURES}"),
        (0.76, JobResult("failed", reason="no [/memory]"), "trial", r"could not be trained anew: no \[/memory\]"),
    ],
)
def test_the_better_of_the_trials_net_and_the_one_trained_anew_is_kept(
    config, tmp_path, monkeypatch, capsys, f1, anew, kept, said
):
    config = dataclasses.replace(config, net="mobilenetv3_79", retrain_epochs=3)
    search = Search(config, tmp_path, {16: DATASET})
    best = trial(tmp_path, "0001", JobResult("finished", {"score": 1.0, "f1": f1}))
    for folder, text in ((best.folder, "trial"), (tmp_path / "retrained-3", "anew")):
        folder.mkdir(parents=True)
        for name in ("best.keras", "metrics.csv"):
            (folder / name).write_text(text)
    monkeypatch.setattr("tuners.tune.run", lambda job, engine: anew)
    assert re.search(said, finish_best(search, best))
    assert [(tmp_path / name).read_text() for name in ("best.keras", "metrics.csv")] == [kept, kept]
    assert re.search(said, " ".join(capsys.readouterr().err.split()))


def test_what_auto_stood_for_is_stored_in_its_place(finished):
    tuned, config = finished
    runtime = resolve_runtime(config.clock).runtime
    assert (config.clock.runtime, runtime) in (("auto", "onnx"), ("auto", "keras"))
    assert yaml.safe_load((tuned.folder / "config.yaml").read_text())["clock"]["runtime"] == runtime
    assert read_json(tuned.best.folder / JOB)["parts"]["clock.runtime"] == runtime
    assert tuned.score.runtime == {"onnx": "onnxruntime", "keras": f"keras-{keras.backend.backend()}"}[runtime]


def test_a_given_net_is_searched_in_width_and_depth_and_an_edited_one_is_refused(config, tmp_path):
    net = tmp_path / "net.yaml"
    net.write_text(dump_rows(preset("mobilenetv3_79")))
    recipe = {"n_select": (0,), "losses": ("cross_entropy",), "learning_rates": (0.1, 0.1), "batch_sizes": (8,)}
    space = Space(widths=(0.5,), depths=(0.5,), **recipe)
    config = dataclasses.replace(config, net=str(net), space=space)
    tuned = tune(config)
    assert load_rows(tuned.folder / "best.yaml") == scale_rows(preset("mobilenetv3_79"), 0.5, 0.5)
    first, promoted = rows(tuned.folder)  # all that the space holds, of five trials
    assert (first["width"], first["depth"], first["parent"], promoted["parent"]) == ("0.5", "0.5", "", "0000")
    assert (first["macs"]) == str(macs(load_rows(tuned.folder / "best.yaml"), 16, 3))
    assert "w0.5 d0.5" in (tuned.folder / "report.md").read_text()
    net.write_text(dump_rows(scale_rows(preset("mobilenetv3_79"), 2.0)))
    with pytest.raises(ConfigError, match="was made with rows="):
        tune(config)


def test_photographs_that_changed_are_noticed_and_a_newer_date_is_not(finished, photographs, tmp_path):
    tuned, config = finished
    copy = tmp_path / "photographs"
    shutil.copytree(photographs, copy)
    before = read_json(tuned.best.folder / JOB)["parts"]["photographs"]

    def now():
        return training_inputs(prepare(dataclasses.replace(config.data, data=str(copy)), 16))["photographs"]

    assert now() == before
    os.utime(copy / "Paper" / "3.png", (1, 1))
    assert now() == before
    shutil.copyfile(copy / "Metal" / "3.png", copy / "Paper" / "3.png")
    assert now() != before


def test_nets_that_run_out_of_pixels_are_not_admissible(config):
    search = Search(dataclasses.replace(config, max_macs=10**9), config.runs / "none", {16: DATASET})
    values = {"input_size": 16, "width": 0.25}
    stage = {"repeats": 1, "kernel": 3, "expansion": 2.0, "squeeze_excite": False, "hard_swish": False}
    for stages, admissible in ((2, True), (5, False)):
        blocks = {f"{name}_{number}": value for number in range(stages) for name, value in stage.items()}
        assert search.is_admissible({**values, "stages": stages, **blocks}) is admissible


def trial(folder, name, result) -> Trial:
    rung = Rung(bracket=0, round=0, initial_epoch=0, epochs=2, parent=None)
    return Trial(name, dict(VALUES), rung, result, folder / "trials" / name)


def test_a_failed_trial_is_never_the_best(tmp_path):
    failed = trial(tmp_path, "0000", JobResult("failed", reason="the loss is nan"))
    good = trial(tmp_path, "0001", JobResult("finished", {"score": 1.2}))
    better = trial(tmp_path, "0002", JobResult("finished", {"score": 1.1}))
    assert best_trial([failed, good, better]) is better
    with pytest.raises(KerastrashError, match=r"all 2 trials failed.*the loss is nan.*0000/job\.log"):
        best_trial([failed, failed])


@pytest.fixture
def trials_here(config, monkeypatch, here):
    """`trials_here(name, failing)` searches with trials that only give a score; the first ones called fail."""
    calls = []

    def search(name, failing=0):
        calls.clear()

        def run_trial(settings, folder):
            calls.append(folder.name)
            if len(calls) <= failing:
                raise ModelError("shapes [a, b] of [/tmp/x] do not fit [bold]")
            return {"score": settings.recipe.learning_rate, "f1": 0.5, "time_ms": 1.0}

        monkeypatch.setattr("tuners.trial.run_trial", run_trial)
        folder = config.runs / name
        return Search(config, folder, {16: DATASET}, here).run(), rows(folder), list(calls)

    return search


def test_any_reason_is_shown_as_it_is_and_a_child_of_a_failed_trial_does_not_run(trials_here, capsys):
    trials, table, calls = trials_here("all", failing=5)
    assert len(trials) == 5 and len(calls) == 4
    assert trials[2].result.reason == "would continue trial 0000, which failed"
    said = " ".join(capsys.readouterr().err.split())
    assert "trial 0000 failed: shapes [a, b] of [/tmp/x] do not fit [bold]" in said
    assert [row["reason"][:6] for row in table] == ["shapes", "shapes", "would ", "shapes", "shapes"]


def test_a_trial_that_failed_is_tried_again_and_the_search_goes_the_way_that_it_would_have_gone(trials_here):
    _, whole, calls = trials_here("whole")
    trials, failed, _ = trials_here("mended", failing=1)
    _, mended, again = trials_here("mended")
    assert [row["status"] for row in failed] == ["failed", *["finished"] * 4]
    assert [row["score"] for row in failed] == ["", *(str(trial.score) for trial in trials[1:])]
    assert [row["width"] for row in failed] == [str(trial.values["width"]) for trial in trials]
    assert mended == whole
    assert again[0] == calls[0] and len(again) <= 2  # the failed one, and its child where it is promoted now
    assert trials_here("mended")[1:] == (whole, [])
