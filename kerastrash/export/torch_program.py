"""Programs of torch.export (`.pt2`): run on the device that they were exported on."""

from pathlib import Path

from kerastrash.export.format import KEY, Description, Format, KerasModel, OpenNet, classifier

DESCRIPTION = f"{KEY}.json"


def write_program(model: KerasModel, path: Path, description: Description) -> None:
    """Writes a `.pt2` file, the description among its extra files."""
    from kerastrash.backends.torch import files

    files.write_program(model, path, description.softmax, {DESCRIPTION: description.to_json()})


def open_program(path: Path, threads: int) -> OpenNet:
    from kerastrash.backends.torch import files

    return classifier(path, "torch-export", files.open_program(path, threads, DESCRIPTION))


TORCH = Format(
    name="torch", suffix=".pt2", runtime="torch.export", write=write_program, open=open_program, backend="torch"
)
