"""TensorFlow: one graph function, traced for each dtype of images; SavedModel folders, LiteRT files. Needs no Keras."""

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's notes on the machine; errors are still shown

# TensorFlow loads Keras, and that torch's Triton, which ends the process where it is not the first of the two.
if "tensorflow" not in sys.modules:
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401
import tensorflow as tf

from kerastrash.backends import OpenedFile
from kerastrash.runs import processor_name

if TYPE_CHECKING:
    import keras

SIGNATURE = "serving_default"
PROCESSOR = "/CPU:0"


def inference_function(model: "keras.Model"):
    @tf.function(reduce_retracing=True)
    def forward(images):
        return model(images, training=False)

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(forward(tf.convert_to_tensor(images)), "float32")

    return run


def training_model(model: "keras.Model", graphs: bool, compiled: bool) -> "keras.Model":
    """The model itself: Keras compiles its training step here."""
    return model


def release(model: "keras.Model") -> None:
    """Nothing: what Keras compiled goes with the model."""


def weight_averager(model: "keras.Model", averages: Sequence["keras.Variable"], variables: Sequence["keras.Variable"]):
    @tf.function
    def moved(share):
        for average, variable in zip(averages, variables, strict=True):
            average.assign_add(share * (variable - average))

    return lambda share: moved(tf.constant(share, "float32"))  # a Python number would be traced anew each time


def synchronise() -> None:
    tf.test.experimental.sync_devices()


def check_device(dtype_policy: str) -> None:
    """Nothing: Keras and the backend name what they lack."""


def set_tf32(allowed: bool) -> None:
    tf.config.experimental.enable_tensor_float_32_execution(allowed)


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError)


def set_threads(threads: int) -> bool:
    """Sets the threads of one operation, and operations one at a time; False when TensorFlow has already started."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return False
    return True


def thread_count() -> None:
    """None: the threads cannot be changed back once the backend has started."""


def device_description() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return processor_name()
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def free_accelerator_memory() -> int:
    """0: Keras feeds tensorflow through a tf.data generator, which brings every batch to the host."""
    return 0


def batch_augmenter() -> None:
    """None: there are no kernels for it here."""


def write_saved_model(model: "keras.Model", path: Path) -> None:
    """Writes a model of Keras on tensorflow as a SavedModel of any batch size: float32 in and out, under `serve`."""
    model(np.zeros((1, *model.input_shape[1:]), "float32"))  # Keras refuses a net never called
    model.export(str(path), format="tf_saved_model", verbose=False)


def write_litert(model: "keras.Model", path: Path, half: bool) -> None:
    """Writes a model of Keras on tensorflow as LiteRT of any batch size, its weights in float16 where `half`."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every variable
        path.write_bytes(converter.convert())


def open_saved_model(folder: Path) -> OpenedFile:
    """Loads a SavedModel, which is a program that may do more than compute: only from somebody you trust.

    It runs on the processor, by its default signature.

    Raises:
        Exception: nearly any; each means that the folder is damaged.
    """
    with tf.device(PROCESSOR):
        model = tf.saved_model.load(str(folder))
    if SIGNATURE not in model.signatures:
        raise ValueError(f"it has no signature {SIGNATURE}")
    function = model.signatures[SIGNATURE]
    inputs = function.structured_input_signature[1]
    (name, first), *_ = inputs.items()

    def run(images: np.ndarray) -> np.ndarray:
        with tf.device(PROCESSOR):  # by way of the model: its variables live no longer than that
            answers = model.signatures[SIGNATURE](**{name: tf.constant(images)})
        return next(iter(answers.values())).numpy()

    outputs = function.structured_outputs.values()
    return OpenedFile(run, _shapes(inputs.values()), _shapes(outputs), first.dtype.name)


def _shapes(specs: Iterable[tf.TensorSpec]) -> list[tuple[int | None, ...]]:
    return [tuple(spec.shape) if spec.shape.rank is not None else () for spec in specs]
