"""JAX: one jitted function of weights and images, compiled once for each batch shape."""

import os
from collections.abc import Sequence

import jax
import keras
import numpy as np
from jax._src.xla_bridge import backends_are_initialized

from kerastrash.runs import processor_name


def inference_function(model: keras.Model):
    trainable = [variable.value for variable in model.trainable_variables]
    frozen = [variable.value for variable in model.non_trainable_variables]

    @jax.jit
    def forward(trainable, frozen, images):
        return model.stateless_call(trainable, frozen, images, training=False)[0]

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(forward(trainable, frozen, images), "float32")

    return run


def training_model(model: keras.Model, graphs: bool, compiled: bool) -> keras.Model:
    """The model itself: Keras compiles its training step here."""
    return model


def release(model: keras.Model) -> None:
    """Nothing: what Keras compiled goes with the model."""


def weight_averager(model: keras.Model, averages: Sequence[keras.Variable], variables: Sequence[keras.Variable]):
    @jax.jit
    def moved(averages, values, share):
        return [average + share * (value - average) for average, value in zip(averages, values, strict=True)]

    def move(share: float) -> None:
        model.jax_state_sync()  # within an epoch Keras keeps the weights to itself
        values = moved([average.value for average in averages], [variable.value for variable in variables], share)
        for average, value in zip(averages, values, strict=True):
            average.assign(value)

    return move


def synchronise() -> None:
    (jax.device_put(0.0) + 1).block_until_ready()  # devices work in order


def check_device(dtype_policy: str) -> None:
    """Nothing: Keras and the backend name what they lack."""


def set_tf32(allowed: bool) -> None:
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if allowed else "highest")


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def set_threads(threads: int) -> bool:
    """Sets the size of XLA's thread pool, which is read from NPROC once, when JAX starts; False when that is past."""
    if os.environ.get("NPROC") == str(threads):
        return True
    if backends_are_initialized():
        return False
    os.environ["NPROC"] = str(threads)
    return True


def thread_count() -> None:
    """None: the threads cannot be changed back once the backend has started."""


def device_description() -> str:
    device = jax.devices()[0]
    return processor_name() if device.platform == "cpu" else device.device_kind


def free_accelerator_memory() -> int:
    statistics = jax.devices()[0].memory_stats() or {}
    return max(0, statistics.get("bytes_limit", 0) - statistics.get("bytes_in_use", 0))


def batch_augmenter() -> None:
    """None: there are no kernels for it here."""
