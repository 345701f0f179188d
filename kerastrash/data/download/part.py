"""A file on its way: the bytes that have come, and what tells whether the server still holds the same file."""

import os
from collections.abc import Mapping
from pathlib import Path

from kerastrash.errors import FileError
from kerastrash.files import read_json, write_json


class Part:
    """A partial file that a later request, or a later run, goes on with where the server supports ranges.

    Beside it lies a note of its address and its validator: the strong ETag, or Last-Modified (RFC 9110, 13.1.5).
    Without one of these nobody can tell that the rest belongs to the same file, and it is fetched from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_suffix(".note.json")

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def resumable(self) -> bool:
        """Whether bytes have come and the server gave what a later request needs to go on with them."""
        return self.size > 0 and self._note.exists()

    def range_headers(self, address: str) -> dict[str, str]:
        """Request headers that ask for what is lacking; empty where the file has to be fetched from its beginning."""
        if not self.resumable:
            return {}
        try:
            note = read_json(self._note)
        except FileError:
            return {}
        if not isinstance(note, dict) or note.get("address") != address:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": str(note.get("validator"))}

    def begin(self, address: str, headers: Mapping[str, str]) -> None:
        """Empties the part and notes what the server says of the file whose first byte comes next."""
        self.discard()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        etag = headers.get("ETag", "")
        validator = etag if etag.startswith('"') else headers.get("Last-Modified")
        if validator:
            write_json(self._note, {"address": address, "validator": validator})

    def place(self, path: Path) -> os.stat_result:
        """Renames the whole file into its place; what stood there is replaced at once."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(path)
        self._note.unlink(missing_ok=True)
        return path.stat()

    def discard(self) -> None:
        """Removes the part and its note."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
