"""TensorFlow's SavedModel: written and run by TensorFlow."""

from dataclasses import replace
from pathlib import Path

from kerastrash.export.format import KEY, Description, Format, KerasModel, OpenNet, classifier

DESCRIPTION = f"assets.extra/{KEY}.json"


def write_saved_model(model: KerasModel, path: Path, description: Description) -> None:
    """Writes a folder with one signature; the description is in `assets.extra`."""
    from kerastrash.backends import tensorflow
    from kerastrash.models.builder import with_softmax

    tensorflow.write_saved_model(with_softmax(model) if description.softmax else model, path)
    (path / DESCRIPTION).parent.mkdir()
    (path / DESCRIPTION).write_text(description.to_json(), encoding="utf-8")


def open_saved_model(path: Path, threads: int) -> OpenNet:
    """Opens the folder of a SavedModel; raises ConfigError where TensorFlow has started with other threads."""
    from kerastrash.backends import set_threads, tensorflow

    set_threads(threads, "tensorflow")
    kept = path / DESCRIPTION
    opened = replace(tensorflow.open_saved_model(path), text=kept.read_bytes() if kept.is_file() else b"")
    return classifier(path, "tensorflow", opened)


SAVED_MODEL = Format(
    name="saved_model", suffix="", runtime="TensorFlow", write=write_saved_model, open=open_saved_model,
    backend="tensorflow", writing={"tensorflow": "tensorflow"}, opening={"tensorflow": "tensorflow"},
)  # fmt: skip
