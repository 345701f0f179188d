"""Files are timed on the accelerator that Keras computes on, which is said where a runtime stays on the processor."""

from dataclasses import replace
from pathlib import Path

import pytest

from kerastrash.console import say_once
from kerastrash.data import DataConfig
from kerastrash.export.format import OpenNet
from kerastrash.reports.scoring import score_tables
from kerastrash.runs import processor_name
from kerastrash.scoring import opening
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig, ScoreConfig
from kerastrash.scoring.opening import arithmetic, keras_accelerator, open_timed, say_device
from kerastrash.scoring.report import score_model

GPU = "NVIDIA Test"


@pytest.fixture
def on_gpu(monkeypatch):
    """Keras names a GPU as its device."""
    monkeypatch.setattr(opening, "device_description", lambda: GPU)
    say_once.cache_clear()


def test_tf32_is_allowed_for_a_keras_file_on_an_accelerator_and_left_alone_elsewhere(nets, monkeypatch):
    allowed = []
    monkeypatch.setattr(opening, "set_tf32", allowed.append)
    open_timed(nets / "net.keras", 1, "")
    open_timed(nets / "net.onnx", 1, GPU)
    assert allowed == []
    open_timed(nets / "net.keras", 1, GPU)
    assert allowed == [True]


def test_arithmetic_is_named_where_it_is_not_plain_float32():
    devices = ("", processor_name(), GPU)
    assert [arithmetic("float32", device) for device in devices] == ["", "", "TF32"]
    assert {arithmetic("mixed_float16", device) for device in devices} == {"mixed_float16"}


def test_a_runtime_that_stays_on_the_processor_is_said_once_with_the_package_that_it_lacks(on_gpu, capsys):
    net = OpenNet("onnxruntime", 32, 3, processor_name(), None)
    say_device(Path("net.onnx"), replace(net, device=GPU), GPU)
    say_device(Path("net.onnx"), net, "")
    assert capsys.readouterr().err == ""
    for path in ("net.onnx", "net.xml", "net.keras", "other.onnx"):
        say_device(Path(path), net, GPU)
    said = capsys.readouterr().err.replace("\n", " ")
    assert said.count("runs on the processor") == 1
    assert f"ONNX Runtime runs on the processor and not on {GPU}" in said and "onnxruntime-gpu" in said


def test_the_device_is_an_accelerator_where_it_is_not_the_processor(on_gpu, monkeypatch, capsys):
    assert keras_accelerator() == GPU
    assert resolve_runtime(ClockConfig()).runtime == "keras"
    assert f"the device is {GPU}" in capsys.readouterr().err
    monkeypatch.setattr(opening, "device_description", processor_name)
    assert keras_accelerator() == ""


def test_a_score_in_onnx_runtime_asks_for_the_gpu_and_says_where_it_ran(on_gpu, nets, capsys, drawn):
    data = DataConfig(data=str(nets / "images"), cache=nets / "cache")
    clock = ClockConfig(runtime="onnx", blocks=2, baseline_size=40, timed_images=2)
    report = score_model(ScoreConfig(nets / "net.keras", data=data, clock=clock))
    assert (report.runtime, report.device) == ("onnxruntime", processor_name())
    said = capsys.readouterr().err.replace("\n", " ")
    assert said.count("pip install onnxruntime-gpu, in place of onnxruntime,") == 1
    on_it = replace(report, runtime="onnxruntime-cuda", device=GPU)
    assert f"Batch 1, TF32, onnxruntime-cuda, {GPU}, 1 thread" in " ".join(drawn(*score_tables(on_it)).split())
