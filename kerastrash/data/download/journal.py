"""What has been fetched and found whole, so that a later run neither fetches nor decodes it again."""

import json
import os
from pathlib import Path
from typing import TextIO

from kerastrash.data.records import Frame


class Journal:
    """A file of JSON lines, one added for each whole photograph; a line cut short by a kill is passed over.

    A photograph counts as whole while size and modification time of its file are those of its line, and the annotated
    frame is the one that it was checked against.
    """

    def __init__(self, path: Path) -> None:
        self._lines = _read(path)
        self._stream: TextIO = path.open("a", encoding="utf-8")
        self._stream.write("\n" if self._stream.tell() else "")  # ends a line cut short

    def holds(self, file_name: str, path: Path, frame: Frame | None) -> bool:
        """Whether the file is there as it was when it was checked."""
        try:
            return self._lines.get(file_name) == _line(path.stat(), frame)
        except OSError:
            return False

    def add(self, file_name: str, status: os.stat_result, frame: Frame | None) -> None:
        """Notes a file that has been checked."""
        self._stream.write(json.dumps([file_name, _line(status, frame)]) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()


def _line(status: os.stat_result, frame: Frame | None) -> list:
    return [status.st_size, status.st_mtime_ns, frame and list(frame)]


def _read(path: Path) -> dict[str, list]:
    lines: dict[str, list] = {}
    if path.exists():
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                name, line = json.loads(text)
                lines[name] = line
            except (ValueError, TypeError):
                continue
    return lines
