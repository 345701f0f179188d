"""Runs a SavedModel in TensorFlow on the processor."""

from pathlib import Path

import numpy as np

from kerastrash.backends.processor import processor_name
from kerastrash.backends.tensorflow_saved import open_saved, set_threads
from kerastrash.export.description import KEY, Description
from kerastrash.export.open_net import OpenNet
from kerastrash.export.runtimes.signature import as_dtype, cannot_open, in_pieces, signature_of


def saved_model_runtime(path: Path, threads: int) -> OpenNet:
    """Opens the folder of a SavedModel by its default signature; see `open_runtime`.

    Raises:
        ConfigError: TensorFlow has already started with another number of threads.
        ModelError: the folder is damaged, or holds no classifier of square images.
    """
    set_threads(threads)
    try:
        saved = open_saved(path)
    except Exception as error:  # TensorFlow's own exceptions share no base class with Python's that it raises too
        raise cannot_open(path, "TensorFlow", error) from error
    signature = signature_of(path, saved.inputs, saved.outputs, saved.dtype)

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(saved.run(as_dtype(images, signature.dtype)), "float32")

    return OpenNet(
        name="tensorflow",
        input_size=signature.size,
        classes=signature.classes,
        device=processor_name(),
        run=in_pieces(run, signature.batch),
        description=Description.from_json(_description(path), path),
    )


def _description(path: Path) -> bytes | None:
    file = path / "assets.extra" / f"{KEY}.json"
    return file.read_bytes() if file.is_file() else None
