"""One pass over the photographs of a source: each is read and decoded once, and its look is kept to be compared."""

import functools
import hashlib
import io
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import imagehash
import numpy as np
from PIL import Image

from kerastrash.data.checks.findings import Picture, whole
from kerastrash.data.counts import TINY
from kerastrash.data.images import (
    FORMATS,
    ORIENTATION,
    ImageError,
    Track,
    by_photograph,
    cut_all,
    decode,
    digest,
    in_threads,
    read_bytes,
    untracked,
)
from kerastrash.data.records import Crop, Frame, Source

Thing = TypeVar("Thing")
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


def scan(source: Source, track: Track = untracked) -> list[ScannedImage]:
    """Reads every photograph of the source in parallel threads."""
    photographs = by_photograph(source.crops)
    return list(track(in_threads(_scan_one, photographs), "Checking", "photographs", len(photographs)))


def _scan_one(crops: tuple[Crop, ...]) -> ScannedImage:
    first = crops[0]
    facts: dict[str, Any] = {"crops": crops}
    try:
        data = read_bytes(first.image)
        facts["file"] = digest(data)
        facts |= _header(data)
        image = decode(first.image, data, first.frame)
    except ImageError as error:
        return ScannedImage(**facts, reason=error.reason)
    cuts = tuple(piece if isinstance(piece, str) else look_at(piece) for piece in cut_all(image, crops))
    return ScannedImage(**facts, look=cuts[0] if first.box is None else look_at(image), cuts=cuts)


def _header(data: bytes) -> dict[str, Any]:
    """Stored size and EXIF orientation; nothing where the header cannot be read, which decoding then says."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return {"stored": image.size, "orientation": image.getexif().get(ORIENTATION, 1)}
    except Exception:  # decoders meet arbitrary bytes and raise whatever they trip over
        return {}


@dataclass(frozen=True)
class Sighting:
    """A photograph or a crop that could be decoded."""

    look: Look
    picture: Picture
    index: int
    """Index of its photograph among those scanned."""
    file: str
    """SHA-256 (hex) of the photograph's file."""
    group: str
    """SHA-256 (hex) of the photograph by which splits are grouped; a record of a crop names that of its photograph."""
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
    photographs, crops = [], []
    for index, photograph in enumerate(scanned):
        see = functools.partial(_sighting, source, index, photograph, own)
        if photograph.look is not None:
            photographs.append(see(photograph.look, photograph.crops))
        for crop, look in zip(photograph.crops, photograph.cuts, strict=False):
            if crop.box is not None and isinstance(look, Look):
                crops.append(see(look, [crop], boxed=True))
    return photographs, crops


def _sighting(
    source: Source,
    index: int,
    photograph: ScannedImage,
    own: Mapping[str, str],
    look: Look,
    crops: Sequence[Crop],
    boxed: bool = False,
) -> Sighting:
    """The sighting of one crop with a box, or of the photograph of all its crops."""
    first, labels = crops[0], frozenset(crop.label for crop in crops)
    splits = frozenset(own[crop.key] for crop in crops if crop.key in own)
    given = frozenset(crop.split for crop in crops if crop.split)
    shown, name = (first, first.key) if boxed else (whole(first), photograph.name)
    label = ", ".join(source.classes[number] for number in sorted(labels))
    if not boxed and any(crop.box is not None for crop in crops):
        labels = frozenset()
    return Sighting(
        look=look,
        picture=Picture(shown, name, label, " and ".join(sorted(given or splits))),
        index=index,
        file=photograph.file,
        group=first.photograph or photograph.file,
        labels=labels,
        given=given,
        own=splits,
    )


def grouped(things: Iterable[Thing], key: Callable[[Thing], Hashable], least: int = 2) -> list[list[Thing]]:
    """The groups of at least `least` things that share a key, in the order of their first members."""
    groups: dict[Hashable, list[Thing]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return [group for group in groups.values() if len(group) >= least]
