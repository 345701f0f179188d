"""What only a GPU can show, in processes of their own, as Keras reads the device when it is imported: see `gpu/`."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("the fast path is torch's", allow_module_level=True)

import torch

if not torch.cuda.is_available():
    reason = "no CUDA device: tests/backends/gpu is rehearsed on a processor by `make gpu-rehearsal`"
    pytest.skip(reason, allow_module_level=True)


@pytest.mark.parametrize("name", ("nets", "steps", "trainings"))
def test_on_the_gpu(name):
    path = Path(__file__).with_name("gpu") / f"{name}.py"
    command = [sys.executable, "-m", "pytest", "-q", path]
    environment = os.environ | {"KERAS_TORCH_DEVICE": "cuda"}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stdout[-5000:]
