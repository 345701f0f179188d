"""The backend-specific functions do the same on every backend."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from kerastrash.backends import device_description, inference_function, set_threads
from kerastrash.errors import ConfigError

pytestmark = pytest.mark.backends

CHANGE_THREADS = """
import keras
from kerastrash.backends import set_threads
from kerastrash.errors import ConfigError
set_threads(1)
keras.ops.convert_to_numpy(keras.ops.ones(2) + 1)
set_threads(1)
try:
    set_threads(2)
    print("changed")
except ConfigError as error:
    print("refused", error)
"""


def net() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(inputs)))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(5, dtype="float32")(x))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("uint8")


def test_inference_gives_the_models_logits_in_host_memory(images):
    keras.utils.set_random_seed(2)
    model = net()
    logits = inference_function(model)(images)
    assert isinstance(logits, np.ndarray) and logits.dtype == np.float32
    np.testing.assert_allclose(logits, model.predict(images.astype("float32"), verbose=0), rtol=1e-4, atol=1e-6)


def test_inference_takes_uint8_and_float_any_batch_and_a_slice_that_is_not_contiguous_alike(images):
    run = inference_function(net())
    logits = run(images)
    np.testing.assert_allclose(run(images.astype("float32")), logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(images[1:2]), logits[1:2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run(images[:, ::-1]), run(images[:, ::-1].copy()), rtol=1e-5, atol=1e-6)


def test_a_net_of_16_bits_gives_float32(images):
    inputs, policy = keras.Input((8, 8, 3)), keras.DTypePolicy("mixed_bfloat16")
    maps = layers.Conv2D(4, 3, dtype=policy)(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D(dtype=policy)(maps))
    assert inference_function(model)(images).dtype == np.float32


def test_the_device_has_a_name_and_no_threads_are_refused():
    assert device_description().strip()
    with pytest.raises(ConfigError, match="threads=0"):
        set_threads(0)


def test_threads_are_set_before_the_start_and_a_backend_that_cannot_change_them_later_says_so():
    environment = {name: value for name, value in os.environ.items() if name != "NPROC"}
    command = [sys.executable, "-c", CHANGE_THREADS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    expected = "changed" if keras.backend.backend() == "torch" else "refused threads=2 cannot be set"
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith(expected)
