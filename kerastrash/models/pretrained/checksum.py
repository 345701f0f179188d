"""Whether a file of weights is the one that was published."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.errors import ModelError


@dataclass(frozen=True)
class Checksum:
    """The leading hexadecimal digits of a file's digest: PyTorch's file names carry the first eight or ten."""

    algorithm: Literal["sha256", "md5"]
    digits: str

    def check(self, path: Path, remedy: str) -> None:
        """Raises ModelError, naming both digests and ending with the remedy, where the file is another."""
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, self.algorithm).hexdigest()
        if not found.startswith(self.digits):
            raise ModelError(
                f"{path}: its {self.algorithm} begins with {found[: len(self.digits)]}, not {self.digits}, "
                f"so it is damaged or another file; {remedy}"
            )

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digits[:8]}"
