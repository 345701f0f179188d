"""The Triton form of augmentation: computed by Triton's interpreter (see `on_triton.py`), compiled for GPUs."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("the kernels read torch's tensors", allow_module_level=True)

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed: its kernels are not tested", allow_module_level=True)

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kerastrash.backends import batch_augmenter, free_accelerator_memory
from kerastrash.backends import torch as backend
from kerastrash.backends.torch import augmentation
from kerastrash.console import say_once

TYPES = dict.fromkeys(("rows", "words", "counts"), "*i32") | dict.fromkeys(("resident", "images"), "*u8")
TYPES |= dict.fromkeys(("records", "tables", "out"), "*u8")
"""Of the kernels' arguments; the others are i32."""


def interpreted(*modules):
    command = [sys.executable, Path(__file__).with_name("on_triton.py"), *modules]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_kernels_compute_what_the_device_form_does():
    interpreted()


@pytest.mark.slow
def test_every_test_of_the_device_form_holds_for_the_triton_form():
    interpreted("test_device.py")


@pytest.fixture
def on_cuda(monkeypatch):
    """The torch backend as if it computed on a GPU."""
    monkeypatch.setattr(backend, "current_device", lambda: torch.device("cuda"))
    say_once.cache_clear()


def test_a_gpu_takes_the_triton_form_and_no_other_device_does(on_cuda, monkeypatch):
    assert batch_augmenter() is augmentation.plan_batch
    monkeypatch.setattr(backend, "current_device", lambda: torch.device("cpu"))
    assert batch_augmenter() is None


def test_where_triton_is_absent_it_is_said_once(on_cuda, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, augmentation.__name__, None)
    assert [batch_augmenter(), batch_augmenter()] == [None, None]
    assert capsys.readouterr().err.count("pip install triton") == 1


def test_memory_that_pytorch_keeps_for_its_next_tensors_counts_as_free(on_cuda, monkeypatch):
    for name, answer in {"mem_get_info": (100, 900), "memory_reserved": 50, "memory_allocated": 20}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, answer=answer: answer)
    assert free_accelerator_memory() == 130


@pytest.mark.parametrize("capability", [75, 90])
@pytest.mark.parametrize(
    ("kernel", "settings", "out"),
    [
        ("resample", {"LAST": False, "WHOLE": True}, "*u8"),
        ("tabulate", {}, "*u8"),
        ("change", {"LAST": False, "WHOLE": True}, "*u8"),
        ("change", {"LAST": True, "WHOLE": False}, "*fp16"),
    ],
)
def test_the_kernels_compile_for_gpus(kernel, settings, out, capability, tmp_path, monkeypatch):
    monkeypatch.setattr(triton.knobs.cache, "dir", str(tmp_path))
    function = getattr(augmentation, kernel)
    constants = settings and settings | {"BLOCK": augmentation.BLOCK}
    types = TYPES | {"out": out} | dict.fromkeys(constants, "constexpr")
    source = ASTSource(function, {name: types.get(name, "i32") for name in function.arg_names}, constants)
    options = {"enable_fp_fusion": False} | ({"num_warps": augmentation.WARPS} if settings else {})
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert f".target sm_{capability}" in made.asm["ptx"]
    assert "fma.rn.f32" not in made.asm["ptx"]  # a blend rounds as Pillow's does
    assert made.asm["cubin"]
