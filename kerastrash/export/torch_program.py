"""Programs of torch.export (`.pt2`): run on the device that they were exported on."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerastrash.backends.torch.files import open_program, write_program
from kerastrash.export.description import KEY, Description
from kerastrash.export.nets import OpenNet, as_dtype, cannot_open, in_pieces, signature_of

if TYPE_CHECKING:
    import keras


def write_torch(model: "keras.Model", path: Path, description: Description) -> None:
    """Writes the model as a `.pt2` file of any batch size, the description among its extra files."""
    write_program(model, path, description.softmax, {f"{KEY}.json": description.to_json()})


def torch_runtime(path: Path, threads: int) -> OpenNet:
    """Opens a `.pt2` file; see `open_runtime`.

    Raises:
        ModelError: the file is damaged, or no classifier of square images.
    """
    try:
        program = open_program(path, threads, f"{KEY}.json")
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
