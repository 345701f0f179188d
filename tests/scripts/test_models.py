"""The commands on models: `adjust`, `benchmark`, `export`, `prune`, `quantise`, `score` and `compare`."""

import json
import re
from pathlib import Path

import keras
import pytest

from kerastrash.files import read_csv
from kerastrash.models.saved import open_model, save_model

on_torch = pytest.mark.skipif(keras.backend.backend() != "torch", reason="ONNX files are written on the torch backend")
BASELINE = "--data images --baseline-net net.yaml --baseline-size 24"


def test_adjust_gives_a_table_a_picture_and_a_model(done, refused, here):
    for _ in range(2):  # the second time over its own files
        out, _ = done("adjust mine/best.keras --data images")
        for word in ("dark", "light", "50.0%", "precision", "log frequency", "mean"):
            assert word in out
    run = here / "runs" / "adjust-mine"
    report = json.loads((run / "adjust.json").read_text())
    assert report["frequencies"] == {"dark": 0.5, "light": 0.5}
    assert report["share"] == 0  # of two classes that are equally frequent, no share changes an answer
    assert len(report["tried"]) == 21
    assert open_model(run / "best.keras").output_shape == (None, 2)
    assert (run / "adjustment.png").stat().st_size > 1000
    error = refused("adjust mine/best.keras --data images --test 0.3 --name adjust-mine")
    assert "test=0.2, not 0.3" in error


def test_benchmark_writes_what_could_be_measured_and_says_what_failed(script, done, here, net_onnx):
    (here / "cut.onnx").write_bytes(net_onnx.read_bytes()[:100])
    options = f"{BASELINE} --blocks 2 --timed-images 3 --batches 1 2 --output out"
    status, out, error = script(f"benchmark net.onnx cut.onnx --threads 1 2 {options}")
    assert status == 1, error
    names = sorted(path.name for path in (here / "out").iterdir())
    assert names == ["benchmark.csv", "benchmark.json", "benchmark.png"]
    rows = read_csv(here / "out" / "benchmark.csv")
    assert [f"{Path(row['model']).name} {row['threads']}" for row in rows] == [
        *("net.onnx 1", "net.onnx 2", "cut.onnx 1", "cut.onnx 2")
    ]
    for row in rows[:2]:
        assert 0 < float(row["median_ms"]) <= float(row["p90_ms"]) <= float(row["p99_ms"])
        assert float(row["images_per_s_batch_2"]) > 0
        assert row["reason"] == "" and f"{float(row['score']):.4f}" in out
    assert all("cut.onnx" in row["reason"] and row["median_ms"] == "" for row in rows[2:])
    assert "failed: " in out and "ONNX Runtime cannot open it" in out
    report = json.loads((here / "out" / "benchmark.json").read_text())
    assert report["settings"]["threads"] == [1, 2]
    assert {"command", "processor", "packages"} <= set(report["environment"])
    assert report["rows"][0]["median_ms"] == float(rows[0]["median_ms"])
    assert "failed" not in done(f"benchmark net.onnx {options}")[0]


@pytest.mark.usefixtures("net_onnx")
def test_export_has_a_row_for_each_format_and_says_why_one_failed(script, here):
    options = "--formats torch onnx --precision float16 --classes a b --output exports"
    status, out, err = script(f"export unnamed.keras --data images {options}")
    assert status == 1
    assert "unnamed-float16.onnx" in out and "onnxruntime" in out and "100.0% of 4" in out
    assert "failed, see below" in out and "torch: precision='float16' is not for torch" in " ".join(out.split())
    names = sorted(path.name for path in (here / "exports").iterdir())
    assert names == ["unnamed-float16.onnx", "unnamed-float16.onnx.json"]
    assert "names no classes" not in err


def test_export_mentions_class_names_that_are_missing(done, here):
    out, err = done("export unnamed.keras --data images --formats keras")
    assert {path.name for path in (here / "exports").iterdir()} == {"unnamed.keras", "unnamed.keras.json"}
    assert "keras-" in out
    assert "unnamed.keras: names no classes" in err and "--classes" in err


@on_torch
@pytest.mark.usefixtures("net_onnx")
def test_prune_gives_a_table_a_picture_and_a_model(done, refused, here):
    prune = "prune mine/best.keras --data images --epochs 2 --steps 1 --workers 0"
    for _ in range(2):  # the second time as after a kill at the very end
        out, _ = done(f"{prune} --target 0.5")
        assert "before" in out and "after" in out and "-5" in out
    run = here / "runs" / "prune-mine"
    report = json.loads((run / "prune.json").read_text())
    assert report["after"]["macs"] <= 0.5 * report["before"]["macs"]
    for name in ("best.keras", "widths.png", "config.yaml"):
        assert (run / name).exists()
    assert "target=0.5, not 0.4" in refused(f"{prune} --target 0.4 --name prune-mine")
    done(f"{prune} --target 0.4")
    assert (here / "runs" / "prune-mine-2" / "prune.json").exists()  # another run has the next free name


@on_torch
@pytest.mark.usefixtures("net_onnx")
def test_quantise_shows_accuracy_and_size_before_and_after(done, here):
    shown, _ = done("quantise mine/best.keras --data images --calibration-images 8 --force")
    exports = here / "mine" / "exports"
    sidecar = json.loads((exports / "best-int8.onnx.json").read_text())
    for name, figures in (("float32", sidecar["before"]), ("int8", sidecar["after"])):
        row = rf"{name}\D+{figures['bytes'] / 1e6:.3f}\D+{figures['val_f1']:.4f}\D+{figures['test_f1']:.4f}"
        assert re.search(row, shown), shown
    assert (exports / "best-int8.onnx").is_file()


@pytest.mark.usefixtures("net_onnx")
def test_quantise_refuses_other_classes_and_writes_nothing(refused, here):
    save_model(open_model(here / "mine" / "best.keras"), here / "other" / "net.keras", ("light", "dark"))
    said = refused("quantise other/net.keras --data images --calibration-images 8")
    assert "knows light, dark, but images has 2 classes (dark, light)" in said
    assert [path.name for path in (here / "other").iterdir()] == ["net.keras"]


@pytest.mark.backends
def test_score_writes_its_report(done, here):
    out, _ = done(f"score mine/best.keras {BASELINE} --runtime keras --blocks 2 --output score.json")
    report = json.loads((here / "score.json").read_text())
    assert f"{report['score']:.4f}" in out
    assert "net.yaml at 24 px" in out.replace("\n", "")
    assert "not comparable" in out
    assert report["runtime"] == f"keras-{keras.backend.backend()}"
    assert (report["images"], report["threads"]) == (4, 1)


SYSTEMS = """
recipe: {epochs: 1, batch_size: 8, n_select: 0, workers: 0}
baseline: theirs
systems:
  - {name: theirs, team: 1, net: net.yaml, input_size: 16}
  - {name: broken, net: net.yaml, input_size: 16, recipe: {epochs: 40, learning_rate: 99, weight_decay: 0.9}}
"""
COMPARE = "compare systems.yaml --data images --timed-images 2 --blocks 1 --name mine --runtime onnx"


@pytest.mark.usefixtures("net_onnx")
def test_a_comparison_ends_with_its_table_and_files_and_with_1_where_a_system_failed(script, done, here):
    (here / "systems.yaml").write_text(SYSTEMS)
    out, error = done(f"{COMPARE} --only theirs --train-only")
    assert "theirs, seed 0: F1" in error and "1 of 1" in error
    assert "val)" in out and "Trained only" in out and "comparison.csv" not in out
    status, out, error = script(COMPARE)
    assert status == 1, error
    assert "theirs, seed 0" not in error  # which is not trained again
    assert "broken: seed 0 failed: " in out and "lower the learning rate" in out.replace("\n", " ")
    assert "measured here: theirs at 16 px" in out.replace("\n", " ") and "comparison.csv" in out
    written = {path.name for path in (here / "runs" / "mine").iterdir() if not path.name.startswith(".")}
    assert written == {
        *("comparison.csv", "comparison.json", "comparison.md", "comparison.png"),
        *("config.yaml", "environment.json", "runs.csv", "systems"),
    }
