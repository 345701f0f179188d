"""`scripts/benchmark.py` from the command line: table, CSV, JSON and picture; status 1 where a row failed."""

import csv
import json
from pathlib import Path

import keras
import pytest

from kerastrash.export.writing import write_model
from kerastrash.models import build_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory, draw_classes) -> Path:
    """Ten images of each of two classes, an untrained net for them, and the file of another net, cut short."""
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    folder = tmp_path_factory.mktemp("benchmark")
    draw_classes(folder, 10)
    (folder / "tiny.yaml").write_text("- conv: {channels: 8, kernel: 3, stride: 2}\n- pool\n")
    keras.utils.set_random_seed(1)
    write_model(build_model(folder / "tiny.yaml", 32, classes=2), "onnx", folder / "net.onnx")
    (folder / "cut.onnx").write_bytes((folder / "net.onnx").read_bytes()[:100])
    return folder


def options(folder: Path) -> list[object]:
    data = ["--data", folder / "images", "--cache", folder / "cache"]
    baseline = ["--baseline-net", folder / "tiny.yaml", "--baseline-size", 24]
    return [*data, *baseline, "--blocks", 2, "--timed-images", 3, "--batches", 1, 2]


def test_what_could_be_measured_is_written_and_what_failed_is_said(script, folder, tmp_path):
    models = (folder / "net.onnx", folder / "cut.onnx")
    arguments = (*models, "--threads", 1, 2, "--output", tmp_path / "out", *options(folder))
    status, out, error = script("benchmark", *arguments)
    assert status == 1, error
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "benchmark.csv",
        "benchmark.json",
        "benchmark.png",
    ]
    with (tmp_path / "out" / "benchmark.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(Path(row["model"]).name, row["threads"]) for row in rows] == [
        ("net.onnx", "1"),
        ("net.onnx", "2"),
        ("cut.onnx", "1"),
        ("cut.onnx", "2"),
    ]
    for row in rows[:2]:
        assert 0 < float(row["median_ms"]) <= float(row["p90_ms"]) <= float(row["p99_ms"])
        assert float(row["images_per_s_batch_2"]) > 0
        assert row["reason"] == "" and f"{float(row['score']):.4f}" in out
    assert all("cut.onnx" in row["reason"] and row["median_ms"] == "" for row in rows[2:])
    assert "failed: " in out and "ONNX Runtime cannot open it" in out
    report = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert report["settings"]["threads"] == [1, 2]
    assert {"command", "processor", "packages"} <= set(report["environment"])
    assert report["rows"][0]["median_ms"] == float(rows[0]["median_ms"])


def test_a_benchmark_without_failures_ends_with_0(script, folder, tmp_path):
    status, out, error = script("benchmark", folder / "net.onnx", "--output", tmp_path / "out", *options(folder))
    assert status == 0, error
    assert "failed" not in out


def test_a_setting_out_of_range_is_a_sentence_and_writes_nothing(script, folder, tmp_path):
    arguments = (folder / "net.onnx", *options(folder), "--threads", 0, "--output", tmp_path / "out")
    status, _, error = script("benchmark", *arguments)
    assert status == 2
    assert "threads=(0,) must be" in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_required(script, folder):
    status, _, error = script("benchmark", *options(folder))
    assert status == 2
    assert "models" in error
