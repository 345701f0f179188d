"""report.md of a run: the table and the picture of a search, failed trials included; one net without any search."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kerastrash.data import Dataset
from kerastrash.files import write_csv
from kerastrash.reports import run
from kerastrash.scoring import PUBLISHED_REFERENCE
from kerastrash.scoring.clocks import Timing
from kerastrash.scoring.evaluate import judge
from kerastrash.scoring.report import ClockScore, ScoreReport

STAGE = {"repeats_0": 2, "kernel_0": 5, "expansion_0": 4.0, "squeeze_excite_0": True, "hard_swish_0": False}
RECIPE = {"learning_rate": 0.05, "batch_size": 32, "n_select": 1, "loss": "logit_adjusted"}


def trial(name, **result):
    settings = {"input_size": 64, "epochs": 2, "width": 0.5, "stages": 1, "bracket": 0}
    return {"trial": name, "reason": "", **settings, **STAGE, **RECIPE, **result}


def finished(name, score, f1):
    counts = {"time_ms": 9.876, "parameters": 12345, "macs": 6_700_000, "layers": 50}
    return trial(name, status="finished", score=score, f1=f1, **counts)


@pytest.fixture
def trials():
    failed = trial("0001", status="failed", reason="the loss is nan; lower [it] | now [/x] [a, b]")
    return [finished("0000", 1.2, 0.3), failed, finished("0002", 0.9, 0.6)]


@pytest.fixture
def score(coloured_squares: Dataset) -> ScoreReport:
    """A score on the twelve images of the test split, of which the net takes the second for green."""
    part = coloured_squares.split("test")
    logits = np.eye(3, dtype="float32")[part.labels]
    logits[1] = [0, 0, 3]
    timing = Timing(1.0, 2.0, 3.0, 12)
    times = (timing, timing, 0.012, 0.02, PUBLISHED_REFERENCE, 0.8)
    clocks = (ClockScore("inference", *times), ClockScore("total", *times))
    return ScoreReport(
        *("best.keras", "squares", "test", 12, coloured_squares.classes),
        input_size=16,
        parameters=1234,
        **{"runtime": "onnxruntime", "device": "a device", "threads": 1, "dtype_policy": "float32"},
        evaluation=judge(part.labels, logits),
        clocks=clocks,
        left_out=(),
        examples=part,
    )


METRICS = [{"epoch": epoch, "loss": 1 / epoch, "val_loss": 1.0, "val_macro_f1": epoch / 10} for epoch in (1, 2, 3)]


def test_a_trial_is_told_in_one_line_with_its_net_and_recipe(trials, drawn):
    text = drawn(run.trials_table(trials, best="0002"))
    assert text.index("0002") < text.index("0000") < text.index("0001")
    for words in ("0.9000", "0.6000", "9.88", "12,345", "6.7", "w0.5 2xk5e4se", "lr 0.050 b32 aug1 adj"):
        assert words in text
    row = {name: value for name, value in trials[0].items() if name != "stages"} | {"depth": 0.75, "loss": "focal"}
    assert run.cells(row)[-2:] == ["w0.5 d0.75", "lr 0.050 b32 aug1 focal"]


def test_a_failed_trial_is_shown_with_its_reason_however_short_the_table(trials, drawn):
    text = drawn(run.trials_table(trials, best="0002", most=1))
    for words in ("failed", "the loss is nan; lower [it] | now [/x] [a, b]", "1 more in trials.csv"):
        assert words in text
    assert "0000" not in text


def test_the_report_of_one_net_has_its_figures_predictions_and_training(score, tmp_path):
    write_csv(tmp_path / "mine" / "metrics.csv", METRICS)
    run.write_report(tmp_path / "mine", score, "Trained for 3 epochs.")
    made = {path.name for path in (tmp_path / "mine").iterdir()}
    assert made == {"metrics.csv", "report.md", "predictions.png", "training.png"}
    text = (tmp_path / "mine" / "report.md").read_text()
    assert text.startswith("# mine\n\nTrained for 3 epochs.\n\n1,234 parameters, 16 px.")
    assert f"**{score.evaluation.macro_f1:.4f}**" in text and "**0.8000**" in text
    assert "1 of 12 images are taken for another class" in text
    assert "| class | red | green | blue |\n| --- | --- | --- | --- |\n| red | 4 | 0 | 0 |" in text
    assert "![predictions](predictions.png)" in text and "![loss and macro F1](training.png)" in text
    assert "with onnxruntime, a device, 1 thread" in text
    assert "## Trials" not in text
    assert "| 5 | mobilenetv3_79 | 156 | 200 | 1.1676 | 0.7012 | 58.1225 |" in text


def test_the_report_of_a_search_has_all_trials(score, trials, tmp_path):
    run.write_report(tmp_path, replace(score, parameters=None), "The best.", trials=trials, best="0002")
    text = (tmp_path / "report.md").read_text()
    assert "3 trials, 1 of them failed" in text and "![trials](trials.png)" in text
    assert r"lower [it] \| now" in text and "| 0002 | 0.9000 | 0.6000 |" in text
    with Image.open(tmp_path / "trials.png") as picture:
        assert picture.width > 300
        assert len(set(picture.convert("L").tobytes())) > 10
    assert "training.png" not in text and not (tmp_path / "training.png").exists()
