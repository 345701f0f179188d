"""A device that is not there, too old or full is answered with a sentence; CUDA's answers are given in its place."""

import keras
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("CUDA is torch's", allow_module_level=True)

import torch
from keras.src.backend.torch import core

from kerastrash.backends import check_device, device_description, is_out_of_memory
from kerastrash.console import say_once
from kerastrash.errors import ConfigError

GB = 10**9


@pytest.fixture
def gpu(monkeypatch):
    """`gpu(capability=(7, 5), free=5 * GB)`: Keras computes on `cuda`, and CUDA says that this one is there."""

    def there(device="cuda", built="13.0", count=1, capability=(9, 0), built_for=("sm_75", "sm_90"), free=80 * GB):
        monkeypatch.setattr(core, "DEFAULT_DEVICE", device)
        monkeypatch.setattr(torch.version, "cuda", built)
        answers = {
            "is_available": bool(count),
            "device_count": count,
            "get_device_name": "NVIDIA T0",
            "get_device_capability": capability,
            "get_arch_list": list(built_for),
            "mem_get_info": (free, 80 * GB),
            "memory_reserved": 0,
        }
        for name, answer in answers.items():
            monkeypatch.setattr(torch.cuda, name, lambda *device, answer=answer: answer)

    return there


REFUSED = [
    ({"count": 0}, "float32", "was built for CUDA 13.0 and finds no GPU", "KERAS_TORCH_DEVICE=cpu"),
    ({"count": 0, "built": None}, "float32", "was built without CUDA; install a build with it"),
    ({"device": "cuda:2", "count": 2}, "float32", "KERAS_TORCH_DEVICE=cuda:2: the last GPU here is cuda:1"),
    ({"device": "gpu"}, "float32", "KERAS_TORCH_DEVICE=gpu: Expected one of", "set it to cpu or cuda"),
    (
        {"capability": (6, 1)},
        "float32",
        "NVIDIA T0 has compute capability 6.1, and torch",
        "for sm_75, sm_90; install",
    ),
    ({"capability": (12, 0)}, "float32", "12.0"),
    ({"capability": (7, 5)}, "mixed_bfloat16", "mixed_bfloat16 needs 8.0, and", "7.5; use float32 or mixed_float16"),
    ({"capability": (5, 2), "built_for": ["sm_50"]}, "mixed_float16", "needs 5.3, and NVIDIA T0", "5.2; use float32"),
    ({"free": 0.3 * GB}, "float32", "NVIDIA T0 has 0.3 GB free of 80.0 GB", "nvidia-smi", "CUDA_VISIBLE_DEVICES=1"),
]


@pytest.mark.parametrize(("answers", "policy", "words"), [(*case[:2], case[2:]) for case in REFUSED])
def test_a_gpu_that_cannot_train_is_refused_with_what_to_do(gpu, answers, policy, words):
    gpu(**answers)
    with pytest.raises(ConfigError) as caught:
        check_device(policy)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("built_for", [["sm_86"], ["sm_70", "compute_70"], []])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_gpu_is_taken_for_which_torch_has_code(gpu, capsys, built_for, policy):
    gpu(capability=(8, 9), built_for=built_for)
    check_device(policy)
    assert not capsys.readouterr().err


def test_that_float16_is_slow_on_an_old_gpu_is_said_once(gpu, capsys):
    say_once.cache_clear()
    gpu(capability=(6, 1), built_for=["sm_60"])
    for _ in range(2):
        check_device("mixed_float16")
    assert capsys.readouterr().err.replace("\n", " ").count("compute capability 6.1: below 7.0") == 1


def test_memory_that_this_process_holds_itself_is_no_other_ones(gpu, monkeypatch):
    gpu(free=0.3 * GB)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70 * GB)
    check_device("float32")


def test_nothing_else_is_asked_of_a_device_that_is_not_there(gpu):
    gpu(count=0)
    with pytest.raises(ConfigError, match="finds no GPU"):
        device_description()


def test_memory_that_runs_out_is_recognised_behind_the_error_of_a_recording_that_it_ended():
    with pytest.raises(RuntimeError) as caught:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
