"""Writes what TensorFlow exports: SavedModel folders and LiteRT files. For a process whose Keras runs on tensorflow."""

import contextlib
import io
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def write_saved_model(model: keras.Model, path: Path) -> None:
    """Writes the model as a SavedModel of any batch size: float32 images to float32 outputs, under `serve`."""
    model(np.zeros((1, *model.input_shape[1:]), "float32"))  # Keras refuses a net never called
    model.export(str(path), format="tf_saved_model", verbose=False)


def write_litert(model: keras.Model, path: Path, half: bool) -> None:
    """Writes the model as a LiteRT file of any batch size, its weights in float16 where `half`."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every variable
        path.write_bytes(converter.convert())
