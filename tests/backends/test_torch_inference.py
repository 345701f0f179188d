"""Inference on CUDA replays a graph for each shape of images; here a recording of operations stands in for a graph."""

from contextlib import contextmanager, nullcontext

import keras
import numpy as np
import pytest

from kerastrash.backends import inference_function
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy

if keras.backend.backend() != "torch":
    pytest.skip("the program is torch's", allow_module_level=True)

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kerastrash.backends.torch import inference
from kerastrash.backends.torch.graphs import WARM_UP
from kerastrash.backends.torch.inference import GRAPHS, Replay, inference_on, replayed
from kerastrash.backends.torch.program import lower

SIZE = 32
CPU = torch.device("cpu")


class Recording(TorchDispatchMode):
    """Operations, which a replay does again on the same memory; like a graph it takes nothing from the host."""

    def __init__(self):
        super().__init__()
        self.done = []

    def __torch_dispatch__(self, function, kinds, arguments=(), keywords=None):
        assert function not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.lift_fresh.default)
        outputs = function(*arguments, **(keywords or {}))
        self.done.append((function, arguments, keywords or {}, outputs))
        return outputs

    def replay(self):
        for function, arguments, keywords, outputs in self.done:
            again = function(*arguments, **keywords)
            for old, new in zip(tree_leaves(outputs), tree_leaves(again), strict=True):
                old.copy_(new)


class Stream:
    """Notes when it is waited for."""

    waits: list["Stream"] = []  # noqa: RUF012

    def wait_stream(self, other: "Stream") -> None:
        assert other is not self

    def synchronize(self) -> None:
        self.waits.append(self)


@pytest.fixture
def waits(monkeypatch) -> list[Stream]:
    """What stands in for CUDA; each wait of the host is added to the list."""

    @contextmanager
    def capture(graph: Recording, capture_error_mode: str):
        with graph:
            yield

    def pinned(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.clone()

    usual = Stream()
    monkeypatch.setattr(Stream, "waits", [])
    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    values = {"CUDAGraph": Recording, "graph": capture, "Stream": Stream, "current_stream": lambda device=None: usual}
    for name, value in {**values, "device": nullcontext, "stream": nullcontext}.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    return Stream.waits


def net(name: str = "mobilenetv3_79", policy: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(3)
    return in_policy(build_model(name, SIZE, width=0.25, depth=0.3), policy)


def pictures(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), "uint8")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("name", ["mobilenetv3_79", "shufflenet_v2_x0_5", "resnet18d", "efficientnet_lite0"])
def test_a_replay_answers_as_single_kernels_do_and_waits_once(waits, name, policy):
    model = net(name, policy)
    expected, run = inference_function(model), replayed(CPU, lower(model))
    answers = {}
    for count, seed in ((2, 1), (1, 2), (2, 3), (1, 4)):
        answers[count, seed] = run(pictures(count, seed))
    assert len(waits) == len(answers)
    for (count, seed), answer in answers.items():  # none was overwritten by a later call
        np.testing.assert_array_equal(answer, expected(pictures(count, seed)))
    frozen, turned = pictures(2, 5), pictures(2, 6)[:, ::-1]
    frozen.setflags(write=False)
    for images in (frozen, turned, pictures(2).astype("float32")):
        np.testing.assert_array_equal(run(images), expected(images))


def test_a_program_runs_some_times_before_its_capture_and_never_again(waits):
    program, calls = lower(net()), []
    program.register_forward_hook(lambda *_: calls.append(torch.backends.cudnn.benchmark))
    replay = Replay(CPU, program, pictures(1))
    assert calls == [True] * (WARM_UP + 1)
    replay(pictures(1))
    assert len(calls) == WARM_UP + 1


def test_the_last_shapes_keep_their_graphs(monkeypatch):
    made = []

    def captured(device, program, images):
        made.append((len(images), str(images.dtype)))
        return lambda given: given

    monkeypatch.setattr(inference, "Replay", captured)
    run = replayed(CPU, torch.nn.Identity())
    for count in (*range(1, GRAPHS + 1), 1, GRAPHS + 1, 1, 2):  # 2 was not used for longest when a further one came
        assert len(run(pictures(count))) == count
    run(pictures(1).astype("float32"))
    counts = [*range(1, GRAPHS + 2), 2]
    assert made == [*((count, "uint8") for count in counts), (1, "float32")]


def test_only_cuda_has_graphs_and_not_of_a_net_with_a_layer_that_keras_runs(monkeypatch):
    monkeypatch.setattr(inference, "replayed", lambda device, program: "graphs")
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.LeakyReLU()(keras.layers.Conv2D(4, 3)(inputs))
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    with_keras = keras.Model(inputs, outputs)
    assert inference_on(torch.device("cuda"), net()) == "graphs"
    assert inference_on(torch.device("cuda"), with_keras) != "graphs"
    assert inference_on(CPU, net()) != "graphs"
