"""The table and the picture of a search, failed trials included."""

import io

import pytest
from PIL import Image
from rich.console import Console

from kerastrash.reports.trials import (
    describe_net,
    describe_recipe,
    draw_trials,
    markdown_table,
    ranked,
    trials_markdown,
    trials_table,
)

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
    failed = trial("0001", status="failed", reason="the loss is nan; lower [it] | now")
    return [finished("0000", 1.2, 0.3), failed, finished("0002", 0.9, 0.6)]


def shown(table) -> str:
    text = io.StringIO()
    Console(file=text, width=160).print(table)
    return text.getvalue()


def test_trials_stand_by_score_and_failed_ones_last(trials):
    assert [row["trial"] for row in ranked(trials)] == ["0002", "0000", "0001"]


def test_a_trial_is_told_in_one_line_with_its_net_and_recipe(trials):
    text = shown(trials_table(trials, best="0002"))
    for words in ("0.9000", "0.6000", "9.88", "12,345", "6.7", "w0.5 2xk5e4se", "lr 0.050 b32 aug1 adj"):
        assert words in text


def test_a_given_net_is_told_by_its_width_and_depth():
    row = {"width": 0.5, "depth": 0.75, **RECIPE, "loss": "focal"}
    assert (describe_net(row), describe_recipe(row)) == ("w0.5 d0.75", "lr 0.050 b32 aug1 focal")


def test_a_failed_trial_is_shown_with_its_reason_however_short_the_table(trials):
    text = shown(trials_table(trials, best="0002", most=1))
    assert "failed" in text
    assert "the loss is nan; lower [it]" in text
    assert "0000" not in text
    assert "1 more in trials.csv" in text


def test_markdown_cells_keep_their_bars_inside(trials):
    lines = trials_markdown(trials).splitlines()
    assert len(lines) == 2 + 3
    assert r"\| now" in lines[-1]
    assert markdown_table(["a"], [["b"]]) == "| a |\n| --- |\n| b |\n"


def test_the_picture_is_an_image(trials, tmp_path):
    draw_trials(trials, "0002", tmp_path / "trials.png")
    with Image.open(tmp_path / "trials.png") as picture:
        assert picture.width > 300
        assert len(set(picture.convert("L").tobytes())) > 10
