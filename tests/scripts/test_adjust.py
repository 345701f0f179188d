"""`scripts/adjust.py` from the command line: a table, a picture and a model, or a refusal with status 2."""

import json

import pytest

from kerastrash.models import build_model, load_rows
from kerastrash.models.saved import open_model, save_model

pytestmark = pytest.mark.usefixtures("arguments")  # which draws the photographs


@pytest.fixture
def model(tmp_path):
    """An untrained net for photographs of two classes."""
    path = tmp_path / "mine" / "best.keras"
    save_model(build_model(load_rows(tmp_path / "net.yaml"), 16, classes=2), path, ("dark", "light"))
    return path


def test_the_table_and_the_files(script, arguments, model, tmp_path):
    for _ in range(2):  # the second time over its own files
        status, out, error = script("adjust", model, *arguments[:6])
        assert status == 0, error
        for word in ("dark", "light", "50.0%", "precision", "log frequency", "mean"):
            assert word in out
    run = tmp_path / "runs" / "adjust-mine"
    report = json.loads((run / "adjust.json").read_text())
    assert report["frequencies"] == {"dark": 0.5, "light": 0.5}
    assert report["share"] == 0  # of two classes that are equally frequent, no share changes an answer
    assert len(report["tried"]) == 21
    assert open_model(run / "best.keras").output_shape == (None, 2)
    assert (run / "adjustment.png").stat().st_size > 1000
    status, _, error = script("adjust", model, *arguments[:6], "--test", 0.3, "--name", "adjust-mine")
    assert status == 2
    assert "test=0.2, not 0.3" in error


def test_a_missing_model_ends_with_a_sentence(script, arguments, tmp_path):
    status, _, error = script("adjust", tmp_path / "none.keras", *arguments[:6])
    assert status == 2
    assert "none.keras: no such file" in error
