"""How a picture looks, in few bytes: digest of its pixels, perceptual hash, thumbnail."""

import hashlib
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from kerastrash.data.records import Frame
from kerastrash.data.summary import TINY

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
