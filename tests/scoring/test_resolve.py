"""`--runtime auto` becomes a runtime that is there, and says which."""

import sys

import pytest

from kerastrash.backends import device_description
from kerastrash.runs import processor_name
from kerastrash.scoring.baseline import resolve_runtime
from kerastrash.scoring.config import ClockConfig


@pytest.fixture(autouse=True)
def on_a_processor() -> None:
    """Skips where Keras computes on an accelerator, for which the answer is Keras."""
    if device_description() != processor_name():
        pytest.skip("Keras computes on an accelerator")


def test_it_is_onnx_runtime_on_a_processor(capsys):
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    assert resolve_runtime(ClockConfig(threads=2, blocks=3)) == ClockConfig(runtime="onnx", threads=2, blocks=3)
    assert capsys.readouterr().err == "nets are timed in ONNX Runtime\n"


@pytest.mark.parametrize("package", ["onnxruntime", "onnx"])
def test_it_is_keras_with_a_sentence_where_onnx_runtime_is_not_installed(monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)  # the interpreter's own mark for "cannot be imported"
    assert resolve_runtime(ClockConfig()).runtime == "keras"
    assert 'pip install "kerastrash[onnx]"' in capsys.readouterr().err.replace("\n", "")


def test_a_runtime_that_was_named_stays_in_silence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    config = ClockConfig(runtime="onnx")
    assert resolve_runtime(config) is config
    assert capsys.readouterr().err == ""
