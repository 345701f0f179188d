"""TensorFlow: one graph function, traced once for each dtype of its images."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kerastrash.backends.processor import processor_name


def inference_function(model: keras.Model):
    """See `kerastrash.backends.inference_function`."""

    @tf.function(reduce_retracing=True)
    def forward(images):
        return model(images, training=False)

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(forward(tf.convert_to_tensor(images)), "float32")

    return run


def training_model(model: keras.Model, graphs: bool) -> keras.Model:
    """The model itself: Keras compiles its training step here."""
    return model


def weight_averager(model: keras.Model, averages: Sequence[keras.Variable], variables: Sequence[keras.Variable]):
    """See `kerastrash.backends.weight_averager`."""

    @tf.function
    def moved(share):
        for average, variable in zip(averages, variables, strict=True):
            average.assign_add(share * (variable - average))

    return lambda share: moved(tf.constant(share, "float32"))  # a Python number would be traced anew each time


def synchronise() -> None:
    """See `kerastrash.backends.synchronise`."""
    tf.test.experimental.sync_devices()


def set_tf32(allowed: bool) -> None:
    """See `kerastrash.backends.set_tf32`."""
    tf.config.experimental.enable_tensor_float_32_execution(allowed)


def is_out_of_memory(error: Exception) -> bool:
    """See `kerastrash.backends.is_out_of_memory`."""
    return isinstance(error, tf.errors.ResourceExhaustedError)


def set_threads(threads: int) -> bool:
    """Sets the threads of one operation, and operations one at a time; False when TensorFlow has already started."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return False
    return True


def thread_count() -> int | None:
    """None: the threads cannot be changed back once the backend has started."""
    return None


def device_description() -> str:
    """The GPU's name, or the processor's."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return processor_name()
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def free_accelerator_memory() -> int:
    """0: Keras feeds tensorflow through a tf.data generator, which brings every batch to the host."""
    return 0
