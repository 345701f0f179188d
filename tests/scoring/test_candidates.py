"""A net in its own process answers and is timed as one here, has its own memory, and its end is reported."""

import os
import signal
import sys
from contextlib import ExitStack

import numpy as np
import pytest

from kerastrash.errors import KerastrashError
from kerastrash.export.formats import open_runtime
from kerastrash.scoring.candidates import Candidate


@pytest.fixture
def opened(nets):
    """Opens a file of the folder as a candidate, and ends its process after the test."""
    with ExitStack() as stack:

        def open_file(name: str, **values) -> Candidate:
            candidate = Candidate(nets / name, name.split(".")[1], nets / name, **values)
            candidate.open(stack)
            return candidate

        yield open_file


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), "uint8")


def test_it_answers_as_the_runtime_does_here_and_goes_on_after_a_failure(opened, nets, images):
    net = opened("net.onnx").net
    with pytest.raises(KerastrashError, match=r"^InvalidArgument: .*invalid dimensions"):
        net(images[:, :16])
    np.testing.assert_allclose(net(images), open_runtime(nets / "net.onnx")(images), rtol=1e-5, atol=1e-6)
    assert (net.name, net.input_size, net.classes) == ("onnxruntime", 32, 3)
    assert net.description.classes == ("blue", "green", "red")


def test_it_times_the_calls_but_those_that_are_not_to_be_timed(opened, images):
    seconds = opened("net.onnx").time_block(images[:, None], 1)
    assert len(seconds) == 3
    assert all(0 < value < 60 for value in seconds)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_its_memory_is_its_own_and_holds_neither_keras_nor_torch(opened, images):
    ballast = np.ones(80_000_000)  # 640 MB here, which a new process would inherit in its ru_maxrss
    candidate = opened("net.onnx")
    candidate.net(images)
    candidate.keep(1, [0.001])
    assert 10e6 < candidate.bytes_before < candidate.peak_bytes < 250e6 < ballast.nbytes


def test_a_file_that_cannot_be_opened_is_told_in_its_own_words(opened):
    assert "bad.onnx: ONNX Runtime cannot open it" in opened("bad.onnx").failure


def test_a_process_that_dies_is_reported_by_its_signal(opened, images):
    candidate = opened("net.onnx")
    os.kill(candidate.process.pid, signal.SIGKILL)
    with pytest.raises(KerastrashError, match=r"signal 9 \(out of memory\?\): it said nothing"):
        candidate.net(images)


def test_a_process_that_cannot_start_is_reported_by_its_last_line(opened, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "abacus")
    assert "abacus" in opened("net.keras").failure


def test_a_keras_file_runs_on_the_backend_that_is_named(opened, nets, images):
    pytest.importorskip("jax", reason="jax is not installed")
    net = opened("net.keras", backend="jax").net
    assert net.name == "keras-jax"
    np.testing.assert_allclose(net(images), open_runtime(nets / "net.keras")(images), rtol=1e-4, atol=1e-5)
