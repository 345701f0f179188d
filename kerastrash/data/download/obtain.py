"""Obtains one photograph: looks, fetches, checks, puts it in its place."""

import errno
import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kerastrash.data.download.client import Client, Unavailable, Unfit
from kerastrash.data.download.part import Part
from kerastrash.data.download.plan import Photograph
from kerastrash.data.images import ImageError, decode, read_bytes

NAME_FAULTS = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EINVAL, errno.EILSEQ)
"""Errors of a single path. Every other one, a full disk first of all, ends the run."""


@dataclass(frozen=True)
class Outcome:
    """A photograph that is there, with the state of its file, or the reason why it is not."""

    photograph: Photograph
    status: os.stat_result | None = None
    reason: str = ""


class Obtainer:
    """Obtains one photograph after the other, in one thread.

    Args:
        parts: folder of the partial files.
        deadline: seconds that one photograph may take.
        decoders: shared by the threads; bounds the memory.
    """

    def __init__(self, client: Client, parts: Path, deadline: float, decoders: threading.BoundedSemaphore) -> None:
        self._client, self._parts, self._deadline, self._decoders = client, parts, deadline, decoders

    def __call__(self, photograph: Photograph) -> Outcome:
        """Takes the file that is there and fits, else fetches it from its addresses in turn.

        Raises:
            Stopped: the run is being stopped.
            OSError: the disk is full, or the folder cannot be written.
        """
        try:
            if photograph.path.is_file() and self._fits(photograph):
                return Outcome(photograph, photograph.path.stat())
            return self._fetch(photograph)
        except OSError as error:
            if error.errno in NAME_FAULTS:
                return Outcome(photograph, reason=f"cannot have its name on this disk ({error.strerror})")
            raise

    def _fits(self, photograph: Photograph) -> bool:
        try:
            self._check(photograph, photograph.path)
        except Unfit:
            return False
        return True

    def _fetch(self, photograph: Photograph) -> Outcome:
        name = hashlib.sha256(photograph.file_name.encode()).hexdigest()
        part = Part(self._parts / f"{name[:32]}.part")
        until = time.monotonic() + self._deadline
        reasons = []
        for address in photograph.addresses:
            try:
                self._client.download(address, part, lambda path: self._check(photograph, path), until)
                return Outcome(photograph, part.place(photograph.path))
            except Unavailable as fault:
                reasons.append(str(fault))
        if not part.resumable:
            part.discard()
        return Outcome(photograph, reason="; then ".join(reasons))

    def _check(self, photograph: Photograph, path: Path) -> None:
        """Decodes the file and compares its size, as displayed or as stored, with the annotated one."""
        try:
            with self._decoders:
                decode(path, read_bytes(path), photograph.frame)
        except ImageError as fault:
            raise Unfit(fault.reason) from fault
