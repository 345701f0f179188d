"""The pixels of a crop, made from its file: decode, orient, cut, pad, resize; several photographs at a time."""

import contextlib
import hashlib
import io
import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kerastrash.data.records import Crop, EncodedImage, Frame, LeftOut
from kerastrash.errors import DataError

MAX_PIXELS = 89_478_485
"""Pillow's own default limit, here an error and not a warning; Pillow's global setting is left as it is."""
MAX_BYTES = 2**28
MAX_CANVAS_SIDE = 4096
ORIENTATION, QUARTER_TURNED = 0x0112, (5, 6, 7, 8)
"""EXIF's tag, and its values by which width and height change places."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What is decoded. Pillow knows more, some of it by starting other programs (EPS)."""


class ImageError(DataError):
    """A file or box of which no crop can be cut; `reason` is the same for every image with the same fault."""

    def __init__(self, path: Path | EncodedImage | str, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.reason = reason


def read_crop(crop: Crop, size: int) -> np.ndarray:
    """Decodes, cuts, pads and resizes one crop: uint8 of shape (size, size, 3), RGB.

    Raises:
        ImageError: the file is missing, damaged, too large or no image, or the box holds no pixel of it.
    """
    image = decode(crop.image, read_bytes(crop.image), crop.frame)
    return square(cut(image, crop), size)


def read_bytes(path: Path | EncodedImage) -> bytes:
    """The bytes of a file, at most 256 MiB, or of a record."""
    if not isinstance(path, Path):
        return path.read_bytes()
    try:
        if not path.is_file():
            raise ImageError(path, "no such file", "add the image, or give its folder with --images")
        if path.stat().st_size > MAX_BYTES:
            raise ImageError(path, f"file is larger than {MAX_BYTES // 2**20} MiB", "save it smaller")
        return path.read_bytes()
    except OSError as cause:
        raise ImageError(path, "file cannot be read", f"check it ({cause.strerror})") from cause


def digest(data: bytes) -> str:
    """The photograph's identity: SHA-256 (hex) of the file's bytes."""
    return hashlib.sha256(data).hexdigest()


def decode(path: Path | EncodedImage | str, data: bytes, frame: Frame | None = None) -> Image.Image:
    """Decodes to RGB, turned as its boxes expect: as displayed (EXIF applied) unless only the stored size fits `frame`.

    TACO's official boxes are drawn on the photograph as displayed. Grey, palette, CMYK and 16-bit images become
    8-bit RGB; transparent pixels are laid on black.

    Raises:
        ImageError: not an image, damaged, over 89,478,485 pixels, or of another size than `frame`, where that is given.
    """
    if not data:
        raise ImageError(path, "file is empty", "replace it")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width} x {image.height}")
            orientation = image.getexif().get(ORIENTATION, 1)
            displayed = image.size[::-1] if orientation in QUARTER_TURNED else image.size
            if frame is not None and frame not in (displayed, image.size):
                raise ImageError(path, "size differs from the one annotated", f"file {displayed}, annotated {frame}")
            if orientation != 1 and (frame is None or frame == displayed):
                image = ImageOps.exif_transpose(image)
            return to_rgb(image)
    except ImageError:
        raise
    except UnidentifiedImageError as cause:
        raise ImageError(path, "is no image", f"replace it by one of {', '.join(FORMATS)}") from cause
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as cause:
        reason = f"decompression bomb: over {MAX_PIXELS:,} pixels"
        raise ImageError(path, reason, f"save it smaller ({cause})") from cause
    except Exception as cause:  # decoders meet arbitrary bytes and raise whatever they trip over
        raise ImageError(path, "image is damaged or cut short", f"replace it ({cause})") from cause


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of an image of any mode but floating point, which raises ValueError; see `decode`."""
    image.load()
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if image.mode.startswith("I"):  # 16-bit grey; convert() would clip it to white
        image = Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(ground, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def cut(image: Image.Image, crop: Crop) -> Image.Image:
    """The crop's box, clipped to the image and widened to whole pixels."""
    if crop.box is None:
        return image
    x, y, width, height = crop.box
    left, right = max(0, math.floor(x)), min(image.width, math.ceil(x + width))
    top, bottom = max(0, math.floor(y)), min(image.height, math.ceil(y + height))
    if left >= right or top >= bottom:
        raise ImageError(crop.image, "box lies outside the image", f"correct the box {crop.box} of {crop.key}")
    return image.crop((left, top, right, bottom))


def cut_all(image: Image.Image, crops: Sequence[Crop]) -> list[Image.Image | str]:
    """What is cut for each of the crops, or the reason why it cannot be cut."""
    pieces: list[Image.Image | str] = []
    for crop in crops:
        try:
            pieces.append(cut(image, crop))
        except ImageError as error:
            pieces.append(error.reason)
    return pieces


def square(image: Image.Image, size: int) -> np.ndarray:
    """Pads with black to a centred square, then resizes (bilinear): uint8 of shape (size, size, 3)."""
    factor = math.ceil(max(image.size) / MAX_CANVAS_SIDE)
    if factor > 1:  # the canvas grows with the square of the long side: bound it
        image = image.reduce(factor)
    side = max(image.size)
    canvas = Image.new("RGB", (side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(canvas.resize((size, size), Image.Resampling.BILINEAR))


AT_ONCE = 8
"""Crops, at least, a task of a thread: with one each, threads would spend a tenth of their time on handing over."""
THREADS = min(32, max(2, os.cpu_count() or 2))
AHEAD = max(8, THREADS)
"""Tasks done or under way ahead of the photograph that is taken: this bounds the memory."""
Item, Result = TypeVar("Item"), TypeVar("Result")


class Track(Protocol):
    """Passes on the items of a long task and shows how far it is; `kerastrash.console.track` draws a bar."""

    def __call__(
        self, items: Iterable[Item], description: str, unit: str, total: int, before: int = 0
    ) -> Iterable[Item]:
        """The items; `before` of the `total` were done by an earlier call."""
        ...


def untracked(items: Iterable[Item], description: str, unit: str, total: int, before: int = 0) -> Iterable[Item]:
    """The items, no progress shown."""
    return items


@dataclass(frozen=True)
class Piece:
    """One crop that was cut."""

    crop: Crop
    pixels: np.ndarray
    """uint8 (size, size, 3)."""
    sides: tuple[int, int]
    """Width and height in pixels before padding and resizing."""


@dataclass(frozen=True)
class Photograph:
    """What one photograph gave."""

    digest: str
    """SHA-256 (hex) of its file; empty where it could not be read."""
    pieces: tuple[Piece, ...]
    left_out: tuple[LeftOut, ...]


def by_photograph(crops: Sequence[Crop]) -> list[tuple[Crop, ...]]:
    """The crops of each photograph together, so that it is decoded once; in order of first appearance."""
    photographs: dict[tuple, list[Crop]] = {}
    for crop in crops:
        photographs.setdefault((crop.image, crop.frame), []).append(crop)
    return [tuple(together) for together in photographs.values()]


def decode_photographs(photographs: Sequence[tuple[Crop, ...]], size: int) -> Iterator[Photograph]:
    """Decodes in threads and yields in the order given."""
    decoded = in_threads(lambda task: [decode_photograph(crops, size) for crops in task], _tasks(photographs))
    with contextlib.closing(decoded):
        yield from itertools.chain.from_iterable(decoded)


def per_photograph(
    function: Callable[[tuple[Crop, ...]], Result], crops: Sequence[Crop], description: str, track: Track
) -> Iterable[Result]:
    """`function` of the crops of each photograph, in threads and in order, with the progress shown."""
    photographs = by_photograph(crops)
    return track(in_threads(function, photographs), description, "photographs", len(photographs))


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results in the order of the items; Pillow and SHA-256 work outside the GIL."""
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(THREADS)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _tasks(photographs: Sequence[tuple[Crop, ...]]) -> Iterator[list[tuple[Crop, ...]]]:
    task: list[tuple[Crop, ...]] = []
    for crops in photographs:
        task.append(crops)
        if sum(map(len, task)) >= AT_ONCE:
            yield task
            task = []
    yield task


def decode_photograph(crops: Sequence[Crop], size: int) -> Photograph:
    """Decodes one photograph and cuts its crops; what cannot be had is left out with a reason."""
    first = crops[0]
    try:
        data = read_bytes(first.image)
        image, identity = decode(first.image, data, first.frame), first.photograph or digest(data)
    except ImageError as error:
        return Photograph("", (), tuple(LeftOut(crop.key, error.reason) for crop in crops))
    pieces, left_out = [], []
    for crop, piece in zip(crops, cut_all(image, crops), strict=True):
        if isinstance(piece, str):
            left_out.append(LeftOut(crop.key, piece))
        else:
            pieces.append(Piece(crop, square(piece, size), piece.size))
    return Photograph(identity, tuple(pieces), tuple(left_out))
