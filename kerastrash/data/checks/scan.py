"""One pass over the photographs of a source: each is read and decoded once, and its look is kept to be compared."""

import contextlib
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import imagehash
import numpy as np
from PIL import Image

from kerastrash.data import images
from kerastrash.data.checks.findings import Picture
from kerastrash.data.dataset import TINY
from kerastrash.data.images import ImageError, Track, untracked
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


@dataclass(frozen=True, eq=False)
class ScannedImage:
    """What one file is; `look` is None where it cannot be used, and `reason` says why."""

    crops: tuple[Crop, ...]
    file: str = ""
    """SHA-256 (hex) of the file."""
    orientation: int = 1
    stored: Frame | None = None
    look: Look | None = None
    reason: str = ""
    cuts: tuple[Look | str, ...] = ()
    """The look of each of `crops`, or the reason why it cannot be cut."""

    @property
    def name(self) -> str:
        """The name of the photograph in its source: the key of a crop with a box is `file_name#id`."""
        crop = self.crops[0]
        return crop.key if crop.box is None else crop.key.rpartition("#")[0]

    @property
    def identity(self) -> str:
        """SHA-256 (hex) by which splits are grouped; a record of a crop names that of its photograph."""
        return self.crops[0].photograph or self.file


def scan(source: Source, track: Track = untracked) -> list[ScannedImage]:
    """Reads every photograph of the source in parallel threads."""
    return list(images.per_photograph(_scan_one, source.crops, "Checking", track))


def _scan_one(crops: tuple[Crop, ...]) -> ScannedImage:
    first = crops[0]
    facts: dict[str, Any] = {"crops": crops}
    try:
        data = images.read_bytes(first.image)
        facts["file"] = images.digest(data)
        with contextlib.suppress(Exception), Image.open(io.BytesIO(data), formats=images.FORMATS) as opened:
            facts |= {"stored": opened.size, "orientation": opened.getexif().get(images.ORIENTATION, 1)}
        image = images.decode(first.image, data, first.frame)  # says what is wrong where the header cannot be read
    except ImageError as error:
        return ScannedImage(**facts, reason=error.reason)
    cuts = tuple(piece if isinstance(piece, str) else look_at(piece) for piece in images.cut_all(image, crops))
    return ScannedImage(**facts, look=cuts[0] if first.box is None else look_at(image), cuts=cuts)


@dataclass(frozen=True, eq=False)
class Sighting:
    """A photograph or a crop that could be decoded."""

    look: Look
    picture: Picture
    photograph: ScannedImage
    """Its photograph, or itself."""
    labels: frozenset[int]
    """The classes that its pixels stand under; empty for a photograph that has boxes."""
    given: frozenset[str]
    """Splits that the source gives it."""
    own: frozenset[str]
    """Splits in which the prepared data hold it."""


def sight(
    source: Source, scanned: Sequence[ScannedImage], own: Mapping[str, str]
) -> tuple[list[Sighting], list[Sighting]]:
    """A sighting for each photograph and for each crop with a box; a crop without one is its photograph.

    Args:
        own: the split of each crop by its key.
    """

    def see(photograph: ScannedImage, look: Look, crops: Sequence[Crop], shown: Crop, name: str) -> Sighting:
        labels = frozenset(crop.label for crop in crops)
        given = frozenset(crop.split for crop in crops if crop.split)
        splits = frozenset(own[crop.key] for crop in crops if crop.key in own)
        label = ", ".join(source.classes[number] for number in sorted(labels))
        of_boxes = shown.box is None and any(crop.box is not None for crop in crops)
        picture = Picture(shown, name, label, " and ".join(sorted(given or splits)))
        return Sighting(look, picture, photograph, frozenset() if of_boxes else labels, given, splits)

    photographs, crops = [], []
    for one in scanned:
        if one.look is not None:
            photographs.append(see(one, one.look, one.crops, replace(one.crops[0], box=None), one.name))
        for crop, look in zip(one.crops, one.cuts, strict=False):
            if crop.box is not None and isinstance(look, Look):
                crops.append(see(one, look, [crop], crop, crop.key))
    return photographs, crops
