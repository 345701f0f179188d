"""Which calls of a function are recorded and replayed; stand-ins that run on a processor play CUDA's part."""

import contextlib

import keras
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("CUDA graphs are torch's", allow_module_level=True)

import torch

from kerastrash.backends.torch.graphs import WARM_UP, Recorded, can_be_recorded
from kerastrash.backends.torch.program import training_program


class Stream:
    def wait_stream(self, other):
        pass


@pytest.fixture
def recorded(monkeypatch) -> Recorded:
    """`x -> 2 x, sum of x`; `recorded.log` holds how each call came to its answer."""
    log = []

    def work(x):
        log.append("ran")
        return 2 * x, x.sum()

    class Graph:
        def replay(self):
            log.append("replayed")
            for kept, new in zip(found._made, (2 * found._given[0], found._given[0].sum()), strict=True):
                kept.copy_(new)

    @contextlib.contextmanager
    def capture(graph, capture_error_mode):
        assert capture_error_mode == "thread_local"  # other threads draw and save meanwhile
        yield

    for name, stand_in in (("Stream", Stream), ("current_stream", Stream), ("CUDAGraph", Graph), ("graph", capture)):
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    found = Recorded(work)
    found.log = log
    return found


def test_a_function_is_recorded_after_its_warm_up_and_replayed_from_then_on(recorded):
    for number in range(WARM_UP + 3):
        x = torch.full((4,), float(number))
        doubled, total = recorded(x)
        assert doubled.tolist() == (2 * x).tolist() and total == x.sum()
    assert recorded.log == ["ran"] * (WARM_UP + 1) + ["replayed"] * 3


def test_answers_of_a_recording_do_not_change_with_the_next_one(recorded):
    kept = [recorded(torch.full((4,), float(number)))[0] for number in range(WARM_UP + 3)]
    assert [tensor[0].item() for tensor in kept] == [2.0 * number for number in range(WARM_UP + 3)]


@pytest.mark.parametrize("other", (torch.ones(1), torch.ones(3), torch.ones(4, dtype=torch.int32)))
def test_another_shape_or_dtype_is_never_laid_into_the_recording(recorded, other):
    for _ in range(WARM_UP + 1):
        recorded(torch.ones(4))
    del recorded.log[:]
    doubled, total = recorded(other)
    assert (doubled.tolist(), total.item(), recorded.log) == ((2 * other).tolist(), other.sum().item(), ["ran"])
    recorded(torch.ones(4))
    assert recorded.log == ["ran", "replayed"]


@pytest.mark.parametrize(
    ("layer", "held"),
    ((keras.layers.ReLU(), True), (keras.layers.ReLU(max_value=3), False), (lambda x: x * 0.5, False)),
)
def test_a_net_with_a_layer_that_keras_runs_is_not_recorded_and_says_so(layer, held, capsys):
    images = keras.Input((8, 8, 3))
    x = layer(keras.layers.Conv2D(4, 3)(images))
    net = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)), name="net")
    assert can_be_recorded(training_program(net), net.name) == held
    assert ("are run by Keras, so it is not replayed" in capsys.readouterr().err) == (not held)
