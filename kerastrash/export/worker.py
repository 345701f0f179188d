"""The process that writes a model with a Keras on another backend: one process has one backend.

`python -m kerastrash.export.worker FORMAT MODEL.keras PATH DESCRIPTION ANSWER`, started by `write_elsewhere`.
"""

import sys
from pathlib import Path

from kerastrash.errors import KerastrashError
from kerastrash.export.format import Description
from kerastrash.export.formats import FormatName
from kerastrash.export.writing import convert
from kerastrash.models.saved import open_model


def main(name: FormatName, source: str, path: str, description: str, answer: str) -> int:
    """The process: writes the model; 1, with a sentence in the file `answer`, where it cannot."""
    try:
        convert(open_model(source), name, Path(path), Description.from_json(description, path))
    except KerastrashError as error:
        Path(answer).write_text(str(error), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
