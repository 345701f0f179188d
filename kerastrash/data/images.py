"""The pixels of a crop, made from its file: decode, orient, cut, pad, resize; several photographs at a time."""

import hashlib
import io
import math
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kerastrash.data.records import OUTSIDE, Crop, EncodedImage, Frame, grouped
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
        raise ImageError(crop.image, OUTSIDE, f"correct the box {crop.box} of {crop.key}")
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


def cut_photograph(crops: Sequence[Crop]) -> tuple[str, list[Image.Image | str]]:
    """SHA-256 (hex) of the file of one photograph, empty where it cannot be used, and what `cut_all` cuts of it."""
    first = crops[0]
    try:
        data = read_bytes(first.image)
        image = decode(first.image, data, first.frame)
    except ImageError as error:
        return "", [error.reason] * len(crops)
    return digest(data), cut_all(image, crops)


def square(image: Image.Image, size: int) -> np.ndarray:
    """Pads with black to a centred square, then resizes (bilinear): uint8 of shape (size, size, 3)."""
    factor = math.ceil(max(image.size) / MAX_CANVAS_SIDE)
    if factor > 1:  # the canvas grows with the square of the long side: bound it
        image = image.reduce(factor)
    side = max(image.size)
    canvas = Image.new("RGB", (side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(canvas.resize((size, size), Image.Resampling.BILINEAR))


THREADS = min(32, max(2, os.cpu_count() or 2))
AHEAD = max(8, THREADS)
"""Items done or under way ahead of the one that is taken: this bounds the memory."""
Item, Result = TypeVar("Item"), TypeVar("Result")


Track = Callable[..., Iterable]
"""Passes on the items of a long task and shows how far it is, as `untracked` is called; `before` of the `total` were
done by an earlier call. `kerastrash.console.track` draws a bar."""


def untracked(items: Iterable[Item], description: str, unit: str, total: int, before: int = 0) -> Iterable[Item]:
    """The items, no progress shown."""
    return items


def by_photograph(crops: Sequence[Crop]) -> list[tuple[Crop, ...]]:
    """The crops of each photograph together, so that it is decoded once; in order of first appearance."""
    return [tuple(together) for together in grouped(crops, attrgetter("image", "frame")).values()]


Decoded = tuple[list[np.ndarray], dict[str, Any]]
"""Pixels of the crops of a photograph that could be cut, uint8 (size, size, 3) each, and what is to be known of them:
photograph: SHA-256 (hex) of its file; checksum: CRC-32 of all pixels; crops: key, label, width and height in pixels
before padding and resizing; left_out: key and reason."""


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


def decode_photograph(crops: Sequence[Crop], size: int) -> Decoded:
    """Decodes one photograph and cuts its crops; what cannot be had is left out with a reason."""
    identity, cuts = cut_photograph(crops)
    pixels, left_out, rows, checksum = [], [], [], 0
    for crop, piece in zip(crops, cuts, strict=True):
        if isinstance(piece, str):
            left_out.append((crop.key, piece))
        else:
            pixels.append(square(piece, size))
            rows.append((crop.key, crop.label, *piece.size))
            checksum = zlib.crc32(pixels[-1].data, checksum)
    identity = identity and (crops[0].photograph or identity)
    return pixels, {"photograph": identity, "checksum": checksum, "crops": rows, "left_out": left_out}
