"""Opens SavedModel folders, without Keras."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's notes on the machine; errors are still shown

import tensorflow as tf

from kerastrash.errors import ConfigError

SIGNATURE = "serving_default"
DEVICE = "/CPU:0"


@dataclass(frozen=True)
class Saved:
    """A SavedModel's default signature, ready to run."""

    run: Callable[[np.ndarray], np.ndarray]
    """Images of its own type and batch size to its first output."""
    inputs: list[tuple[int | None, ...]]
    """Shapes; None for a free side."""
    outputs: list[tuple[int | None, ...]]
    dtype: str
    """Of the first input, such as `float32`."""


def set_threads(threads: int) -> None:
    """Sets the threads of one operation, and operations one at a time, for the whole process.

    Raises:
        ConfigError: TensorFlow has already started with another number.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise ConfigError(
            f"threads={threads} cannot be set: TensorFlow has already started with another number in this process; "
            "give the same number to all its models, or open the model in a process of its own"
        ) from error


def open_saved(folder: Path) -> Saved:
    """Loads a SavedModel, which is a program that may do more than compute: only from somebody you trust.

    It runs on the processor.

    Raises:
        Exception: nearly any; each means that the folder is damaged.
    """
    with tf.device(DEVICE):
        model = tf.saved_model.load(str(folder))
    if SIGNATURE not in model.signatures:
        raise ValueError(f"it has no signature {SIGNATURE}")
    function = model.signatures[SIGNATURE]
    inputs = function.structured_input_signature[1]
    (name, first), *_ = inputs.items()

    def run(images: np.ndarray) -> np.ndarray:
        with tf.device(DEVICE):  # by way of the model: its variables live no longer than that
            answers = model.signatures[SIGNATURE](**{name: tf.constant(images)})
        return next(iter(answers.values())).numpy()

    return Saved(run, _shapes(inputs.values()), _shapes(function.structured_outputs.values()), first.dtype.name)


def _shapes(specs: Iterable[tf.TensorSpec]) -> list[tuple[int | None, ...]]:
    return [tuple(spec.shape) if spec.shape.rank is not None else () for spec in specs]
