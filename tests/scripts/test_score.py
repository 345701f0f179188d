"""`scripts/score.py` from the command line, on the active backend."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from kerastrash.export.writing import write_model
from kerastrash.models import build_model
from kerastrash.models.saved import open_model

TINY = "- conv: {channels: 8, kernel: 3, stride: 2}\n- pool\n"
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "score.py"


def score(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "200", "KERAS_BACKEND": keras.backend.backend()}
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, draw_classes) -> Path:
    """Ten images of each of two classes, and an untrained net for them."""
    folder = tmp_path_factory.mktemp("score")
    draw_classes(folder, 10)
    (folder / "tiny.yaml").write_text(TINY)
    build_model(folder / "tiny.yaml", 16, classes=2).save(folder / "net.keras")
    return folder


@pytest.mark.backends
def test_a_model_is_scored_and_the_report_written(folder):
    baseline = ("--baseline_net", folder / "tiny.yaml", "--baseline_size", 24)
    options = ("--cache", folder / "cache", "--runtime", "keras", "--blocks", 2, "--output", folder / "score.json")
    done = score(folder / "net.keras", "--data", folder / "images", *baseline, *options)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "score.json").read_text())
    assert f"{report['score']:.4f}" in done.stdout
    assert "tiny.yaml at 24 px" in done.stdout.replace("\n", "")
    assert "not comparable" in done.stdout
    assert report["runtime"] == f"keras-{keras.backend.backend()}"
    assert (report["images"], report["threads"]) == (4, 1)


def test_an_exported_file_is_scored_by_the_runtime_that_runs_it(script, folder, tmp_path):
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    write_model(open_model(folder / "net.keras"), "onnx", tmp_path / "net.onnx")
    data = ("--data", folder / "images", "--cache", folder / "cache", "--baseline_size", 24)
    arguments = (tmp_path / "net.onnx", *data, "--baseline_net", folder / "tiny.yaml", "--timed-images", 2)
    status, out, error = script("score", *arguments, "--output", tmp_path / "score.json")
    assert status == 0, error
    report = json.loads((tmp_path / "score.json").read_text())
    assert (report["runtime"], report["parameters"]) == ("onnxruntime", None)
    assert "net.onnx: - parameters, 16 px" in out.replace("\n", "")
    status, _, error = script("score", *arguments, "--runtime", "openvino")
    assert status == 2
    assert "is run by ONNX Runtime, not by runtime='openvino'" in error


def test_a_file_that_is_no_model_is_a_sentence_and_status_2_and_writes_nothing(folder, tmp_path):
    (tmp_path / "net.keras").write_bytes(b"not a model")
    done = score(tmp_path / "net.keras", "--data", folder / "images", "--output", tmp_path / "score.json")
    assert done.returncode == 2
    assert "net.keras: not a .keras archive" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


def test_a_model_is_required():
    done = score("--data", "sample")
    assert done.returncode == 2
    assert "model" in done.stderr
