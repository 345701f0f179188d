"""Writes a model in a process of its own, whose Keras runs on another backend: one process has one backend.

`python -m kerastrash.export.worker FORMAT MODEL.keras PATH DESCRIPTION ANSWER`, started by `write_elsewhere`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras

from kerastrash.errors import KerastrashError, ModelError
from kerastrash.export.description import Description
from kerastrash.export.formats import FormatName
from kerastrash.models.saved import open_model, save_model


def write_elsewhere(model: keras.Model, name: FormatName, path: Path, description: Description, backend: str) -> None:
    """Writes the model with a Keras on `backend`; what the other process prints is hidden.

    Raises:
        ModelError: the other process could not; the message is its own.
    """
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
        source, answer = Path(folder) / "model.keras", Path(folder) / "answer"
        save_model(model, source)
        arguments = (name, source, path, description.to_json(), answer)
        done = subprocess.run(
            [sys.executable, "-m", "kerastrash.export.worker", *map(str, arguments)],
            env=os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode:
            raise ModelError(answer.read_text("utf-8") if answer.exists() else _last_words(name, backend, done))


def _last_words(name: FormatName, backend: str, done: subprocess.CompletedProcess[str]) -> str:
    """For a process that died without an answer."""
    ending = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
    printed = (done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"]
    hint = " (out of memory? close other programs)" if done.returncode == -9 else ""
    return f"{name}: the process that writes it on {backend} ended with {ending}{hint}: {printed[-1]}"


def main(name: FormatName, source: str, path: str, description: str, answer: str) -> int:
    """The process: writes the model; 1, with a sentence in the file `answer`, where it cannot."""
    from kerastrash.export.writing import write_model  # which imports this module

    try:
        write_model(open_model(source), name, path, Description.from_json(description, path))
    except KerastrashError as error:
        Path(answer).write_text(str(error), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
