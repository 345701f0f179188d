"""A net in a process of its own answers as it would here, measures its own memory, and its end is reported."""

import os
import signal
import sys

import numpy as np
import pytest

from kerastrash.errors import KerastrashError
from kerastrash.export.formats import open_runtime
from kerastrash.scoring.net_process import NetProcess


@pytest.fixture
def process(nets):
    process = NetProcess(nets / "net.onnx", threads=1)
    yield process
    process.close()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), "uint8")


def test_it_answers_as_the_runtime_does_here(process, nets, images):
    np.testing.assert_allclose(process(images), open_runtime(nets / "net.onnx")(images), rtol=1e-5, atol=1e-6)
    facts = process.facts
    assert (facts.name, facts.input_size, facts.classes) == ("onnxruntime", 32, 3)
    assert facts.description.classes == ("blue", "green", "red")


def test_it_times_the_calls_but_those_that_are_not_to_be_timed(process, images):
    seconds = process.time_block(images[:, None], 1)
    assert len(seconds) == 3
    assert all(0 < value < 60 for value in seconds)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_its_memory_is_its_own_and_holds_neither_keras_nor_torch(process, images):
    ballast = np.ones(80_000_000)  # 640 MB here, which a new process would inherit in its ru_maxrss
    other = NetProcess(process.path, threads=1)
    try:
        other(images)
        assert 10e6 < other.facts.bytes_before < other.peak_bytes() < 250e6 < ballast.nbytes
    finally:
        other.close()


def test_a_file_that_cannot_be_opened_is_told_in_its_own_words(nets):
    with pytest.raises(KerastrashError, match=r"bad\.onnx: ONNX Runtime cannot open it"):
        NetProcess(nets / "bad.onnx", threads=1)


def test_what_fails_in_the_runtime_is_told_and_the_process_goes_on(process, images):
    with pytest.raises(KerastrashError, match=r"^InvalidArgument: .*invalid dimensions"):
        process(images[:, :16])
    assert process(images).shape == (4, 3)


def test_a_process_that_dies_is_reported_by_its_signal(process, images):
    os.kill(process.child.pid, signal.SIGKILL)
    with pytest.raises(KerastrashError, match=r"signal 9 \(out of memory\?\): it said nothing"):
        process(images)


def test_a_process_that_cannot_start_is_reported_by_its_last_line(nets, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "abacus")
    with pytest.raises(KerastrashError, match="abacus"):
        NetProcess(nets / "net.keras", threads=1)


def test_a_keras_file_runs_on_the_backend_that_is_named(nets, images):
    pytest.importorskip("jax", reason="jax is not installed")
    process = NetProcess(nets / "net.keras", threads=1, backend="jax")
    try:
        assert process.name == "keras-jax"
        np.testing.assert_allclose(process(images), open_runtime(nets / "net.keras")(images), rtol=1e-4, atol=1e-5)
    finally:
        process.close()
