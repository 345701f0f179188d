"""Programs of torch.export (`.pt2`): run on the device that they were exported on."""

from pathlib import Path
from typing import TYPE_CHECKING

from kerastrash.export.format import KEY, Description, Format
from kerastrash.export.open_net import OpenNet, classifier

if TYPE_CHECKING:
    import keras

DESCRIPTION = f"{KEY}.json"


def write_program(model: "keras.Model", path: Path, description: Description) -> None:
    """Writes a `.pt2` file, the description among its extra files."""
    from kerastrash.backends.torch import files

    files.write_program(model, path, description.softmax, {DESCRIPTION: description.to_json()})


def open_program(path: Path, threads: int) -> OpenNet:
    """Opens a `.pt2` file."""
    from kerastrash.backends.torch import files

    program = files.open_program(path, threads, DESCRIPTION)
    return classifier(
        path,
        name="torch-export",
        device=program.device,
        inputs=program.inputs,
        outputs=program.outputs,
        dtype=program.dtype,
        run=program.run,
        text=program.text,
    )


TORCH = Format(
    name="torch", suffix=".pt2", runtime="torch.export", write=write_program, open=open_program, backend="torch"
)
