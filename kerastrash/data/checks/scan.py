"""One pass over the photographs of a source: each is read and decoded once, and its look is kept."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import imagehash
import numpy as np
from PIL import Image

from kerastrash.data.counts import TINY
from kerastrash.data.decoding import Track, in_threads, untracked
from kerastrash.data.images import FORMATS, ORIENTATION, ImageError, cut, decode, digest, read_bytes
from kerastrash.data.records import Crop, Frame, Source

THUMBNAIL = 16
FLAT = 4.0
"""A picture whose thumbnail's grey levels (0 to 255) have a lower standard deviation is of almost one colour."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is kept of a decoded picture, about one kilobyte."""

    pixels: str
    """SHA-256 (hex) of the RGB pixels and the size."""
    hash: int
    """64-bit perceptual hash: signs of the low frequencies of the cosine transform (ImageHash's `phash`)."""
    thumbnail: np.ndarray
    """uint8 (16, 16, 3)."""
    size: Frame
    """Width and height in pixels."""
    flat: bool

    @property
    def comparable(self) -> bool:
        """Whether the perceptual hash means anything."""
        return not self.flat and min(self.size) >= TINY


def look_at(image: Image.Image) -> Look:
    """The look of an RGB image."""
    digest = hashlib.sha256(f"{image.width}x{image.height}".encode())
    digest.update(image.tobytes())
    thumbnail = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    bits = np.packbits(imagehash.phash(image).hash)
    flat = bool(thumbnail.mean(axis=2).std() < FLAT)
    return Look(digest.hexdigest(), int.from_bytes(bits.tobytes(), "big"), thumbnail, image.size, flat)


@dataclass(frozen=True)
class ScannedImage:
    """What one file is; `look` is None where it cannot be used, and `reason` says why."""

    crops: tuple[int, ...]
    """Indices in the source of the crops on it."""
    file: str = ""
    """SHA-256 (hex) of the file."""
    orientation: int = 1
    stored: Frame | None = None
    look: Look | None = None
    reason: str = ""
    cuts: dict[int, Look | str] = field(default_factory=dict)
    """The look of each crop by its index in the source, or the reason why it cannot be cut."""


def scan(source: Source, track: Track = untracked) -> list[ScannedImage]:
    """Reads every photograph of the source in parallel threads."""
    on_photograph: dict[Any, list[int]] = {}
    for index, crop in enumerate(source.crops):
        on_photograph.setdefault((crop.image, crop.frame), []).append(index)
    scanned = in_threads(lambda indices: _scan_one(source.crops, indices), on_photograph.values())
    return list(track(scanned, "Checking", "photographs", len(on_photograph)))


def _scan_one(crops: Sequence[Crop], indices: Sequence[int]) -> ScannedImage:
    first = crops[indices[0]]
    facts: dict[str, Any] = {"crops": tuple(indices)}
    try:
        data = read_bytes(first.image)
        facts["file"] = digest(data)
        facts |= _header(data)
        image = decode(first.image, data, first.frame)
    except ImageError as error:
        return ScannedImage(**facts, reason=error.reason)
    look = look_at(image)
    return ScannedImage(**facts, look=look, cuts={index: _cut(image, crops[index], look) for index in indices})


def _cut(image: Image.Image, crop: Crop, look: Look) -> Look | str:
    if crop.box is None:
        return look
    try:
        return look_at(cut(image, crop))
    except ImageError as error:
        return error.reason


def _header(data: bytes) -> dict[str, Any]:
    """Stored size and EXIF orientation; nothing where the header cannot be read, which decoding then says."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return {"stored": image.size, "orientation": image.getexif().get(ORIENTATION, 1)}
    except Exception:  # decoders meet arbitrary bytes and raise whatever they trip over
        return {}
