"""Every net runs on a device other than the processor, here torch's meta device: see `on_meta.py`."""

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


@pytest.mark.parametrize("policy", ("float32", "mixed_float16", "mixed_bfloat16"))
def test_every_net_infers_and_trains_on_the_device_and_a_step_waits_for_nothing(policy):
    command = [sys.executable, Path(__file__).with_name("on_meta.py"), policy]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    expected = {"infer": INFERENCE, "figures": FIGURES} | dict.fromkeys(STEPS, NOTHING)
    assert json.loads(done.stdout) == dict.fromkeys(preset_names(), expected)
