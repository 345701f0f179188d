"""Runs a program of torch.export (`.pt2`) on the device that it was exported on."""

from pathlib import Path

import numpy as np

from kerastrash.backends.torch_exported import open_exported
from kerastrash.export.description import KEY, Description
from kerastrash.export.open_net import OpenNet
from kerastrash.export.runtimes.signature import as_dtype, cannot_open, in_pieces, signature_of


def torch_runtime(path: Path, threads: int) -> OpenNet:
    """Opens a `.pt2` file; see `open_runtime`.

    Raises:
        ModelError: the file is damaged, or no classifier of square images.
    """
    try:
        program = open_exported(path, threads, f"{KEY}.json")
    except Exception as error:  # torch raises whatever it trips over in a damaged file
        raise cannot_open(path, "torch.export", error) from error
    signature = signature_of(path, program.inputs, program.outputs, program.dtype)

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(program.run(as_dtype(images, signature.dtype)), "float32")

    return OpenNet(
        name="torch-export",
        input_size=signature.size,
        classes=signature.classes,
        device=program.device,
        run=in_pieces(run, signature.batch),
        description=Description.from_json(program.text, path),
    )
