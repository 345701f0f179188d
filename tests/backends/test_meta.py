"""Every net runs on a device other than the processor, here torch's meta device: see `on_meta.py`."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from kerastrash.models import preset_names

if keras.backend.backend() != "torch":
    pytest.skip("the meta device is torch's", allow_module_level=True)

NOTHING = {"mixed": [], "sent": 0, "waited": 0}
"""Of a batch that lies on the device already."""
INFERENCE = {"mixed": [], "sent": 1, "waited": 1}
"""Images go there and logits come back."""
STEPS = ("train", "average", "evaluate", "swap", "copy", "distill_logits", "distill_features")
FIGURES = {"mixed": [], "sent": 5, "waited": 2}
"""Loss and macro F1 come back when an epoch has ended, and Keras's metrics send constants."""

TRAFFIC = {"float32": (165, 28), "mixed_float16": (235, 14), "mixed_bfloat16": (215, 14)}
"""Most kernels, and gigabytes, of a step of mobilenetv3_79: 64 images of 156 px, each tensor once an operation."""


EPOCH = {"begin": [[4, 0]], "steps": [[1, 0], [0, 0], [1, 0], [0, 0]], "validation": [[2, 0], [0, 0]]}
"""Copies there and waits: order, labels and the reset of loss and F1 as an epoch begins, then the draws of two batches
together; validation resets loss and F1 as well."""
EPOCH |= {"metrics": [[5, 2], [5, 2]], "mixed": []}
"""Loss and F1 are computed and read at the end of both passes, by Keras's arithmetic with its constants."""


def on_meta(*arguments):
    command = [sys.executable, Path(__file__).with_name("on_meta.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("policy", TRAFFIC)
def test_every_net_infers_and_trains_on_the_device_and_a_step_waits_for_nothing(policy):
    found, expected = on_meta(policy), {"infer": INFERENCE, "figures": FIGURES} | dict.fromkeys(STEPS, NOTHING)
    assert found["nets"] == dict.fromkeys(preset_names(), expected)
    kernels, gigabytes = TRAFFIC[policy]
    assert found["traffic"]["kernels"] <= kernels and found["traffic"]["gigabytes"] <= gigabytes


@pytest.mark.parametrize("form", ("keras", "triton"))
def test_an_epoch_from_the_device_sends_its_order_its_labels_and_draws_and_a_step_nothing(form):
    if form == "triton" and importlib.util.find_spec("triton") is None:
        pytest.skip("Triton is not installed: its copies are not counted")
    found = on_meta("feeding", form)
    if form == "keras":  # the draws' arrays go one by one
        found["steps"] = [[min(sent, 1), waited] for sent, waited in found["steps"]]
    assert found == EPOCH
