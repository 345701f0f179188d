"""The operations of augmentation, one entry each: how strong it is, its Pillow form, and its device form.

A new one is one more entry at the end. It is drawn where `Augmentation.operations` names it, by a stream of its own.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from PIL import Image, ImageEnhance

GREY = (128, 128, 128)
VALUES = np.arange(256, dtype=np.float32)
Number = float | np.ndarray


@dataclass(frozen=True)
class Operation:
    """What an operation does to one image in Pillow, the reference, and to many on a device.

    On a device it is given by `matrix`, by `table`, or by the arithmetic that `device` names; the Pillow form follows
    from the first two where it is left out.
    """

    strength: Callable[[Number, Number], Number] = lambda level, sign: level
    """Strength at a level in [0, 1] and a sign of -1 or 1, numbers or arrays; level 0 leaves the image."""
    pillow: Callable[[Image.Image, float], Image.Image] | None = None
    """The image, changed by a strength."""
    matrix: Callable[[Number, int, int], Sequence[Number]] | None = None
    """a to f of a strength, height and width: (x, y) of the changed image shows (a x + b y + c, d x + e y + f)."""
    table: Callable[[Number], np.ndarray] | None = None
    """float32 (..., 256) of strengths (..., 1): by what each value is replaced, whatever the image."""
    device: Literal["equalize", "autocontrast", "mean", "luma", "smooth"] | None = None
    """A key of `device.ARITHMETIC`."""
    levelled: bool = True
    """It does nothing at level 0; otherwise the level does not matter."""
    signed: bool = True
    """The sign matters."""

    def apply(self, picture: Image.Image, level: float, sign: int) -> Image.Image:
        """The picture, changed with Pillow."""
        if self.levelled and not level:
            return picture
        strength = self.strength(level, sign)
        if self.pillow:
            return self.pillow(picture, strength)
        if self.table:
            table = self.table(strength).astype(np.uint8).tobytes()
            return Image.frombytes("RGB", picture.size, picture.tobytes().translate(table))
        coefficients = self.matrix(strength, picture.height, picture.width)
        affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
        return picture.transform(picture.size, affine, coefficients, bilinear, fillcolor=GREY)


def up_to(most: float) -> Callable[[Number, Number], Number]:
    """A strength from 0 to `most` or to its negative."""
    return lambda level, sign: sign * level * most


def factor(level: Number, sign: Number) -> Number:
    """A strength from 1 down to 0.1 or up to 1.9."""
    return 1 + 0.9 * sign * level


def _rotation(degrees: Number, height: int, width: int) -> Sequence[Number]:
    """Around the middle of the image."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    across = width / 2 * (1 - cos) + height / 2 * sin
    down = height / 2 * (1 - cos) - width / 2 * sin
    return cos, -sin, across, sin, cos, down


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=GREY)


def _look_up(image: Image.Image, tables: np.ndarray) -> Image.Image:
    """Replaces value v of channel c by entry 256 c + v, its fraction dropped."""
    return image.point(tables.astype(np.int64).ravel().tolist())


def _translate(image: Image.Image, shift: float, axis: int) -> Image.Image:
    """Reads every pixel further along x (axis 0) or y (axis 1): the pixels of a transform, five times faster.

    Each pixel is a blend of two neighbours; the outermost within half a pixel of the border have but one.
    """
    by, last = shift * image.size[axis] / 331, image.size[axis] - 1
    first, second = [0, 0, *image.size], [0, 0, *image.size]
    first[2 + axis], second[axis] = last, 1
    whole, nearest = math.floor(by), math.floor(by + 0.5)
    between = Image.blend(image.crop(first), image.crop(second), by - whole)
    moved = Image.new("RGB", image.size, GREY)
    for part, start in ((image, -nearest), (between, -whole)):
        moved.paste(part, (start, 0) if axis == 0 else (0, start))
    return moved


def _brightened(by: Number) -> np.ndarray:
    return np.floor(np.clip(np.float32(by) * VALUES, 0, 255))


def _solarized(threshold: Number) -> np.ndarray:
    return np.where(threshold <= VALUES, 255 - VALUES, VALUES)


def _posterized(dropped_bits: Number) -> np.ndarray:
    return VALUES - VALUES % np.float32(2**dropped_bits)


def _contrast(image: Image.Image, by: float) -> Image.Image:
    mean = int(np.asarray(image.convert("L")).mean() + 0.5)
    return Image.blend(Image.new("RGB", image.size, (mean, mean, mean)), image, by)


def _sharpness(image: Image.Image, by: float) -> Image.Image:
    """The 3 x 3 kernel (1 1 1, 1 5 1, 1 1 1) / 13 of ImageFilter.SMOOTH in whole numbers; the border stays."""
    pixels = np.asarray(image).astype(np.uint16)
    rows = pixels[:-2] + pixels[1:-1] + pixels[2:]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * pixels[1:-1, 1:-1]
    pixels[1:-1, 1:-1] = (2 * total + 13) // 26
    return Image.blend(Image.fromarray(pixels.astype(np.uint8)), image, by)


def _autocontrast(image: Image.Image, _: float) -> Image.Image:
    low, high = np.array(image.getextrema(), np.float64).T[..., None]
    scale = 255 / np.maximum(high - low, 1)
    stretched = np.clip(np.arange(256) * scale - low * scale, 0, 255)
    return _look_up(image, np.where(high > low, stretched, np.arange(256)))


def _equalize(image: Image.Image, _: float) -> Image.Image:
    counts = np.array(image.histogram()).reshape(3, 256)
    below = np.cumsum(counts, axis=1) - counts
    step = np.where(counts > 0, below, 0).max(axis=1, keepdims=True) // 255
    spread = np.minimum((step // 2 + below) // np.maximum(step, 1), 255)
    return _look_up(image, np.where(step > 0, spread, np.arange(256)))


# Where ImageOps, ImageEnhance and ImageFilter spend their time in Python or in slow loops, the same pixels are computed
# from faster parts.
OPERATIONS = {
    "Identity": Operation(pillow=lambda image, by: image, signed=False),
    "AutoContrast": Operation(pillow=_autocontrast, device="autocontrast", levelled=False, signed=False),
    "Equalize": Operation(pillow=_equalize, device="equalize", levelled=False, signed=False),
    "Rotate": Operation(up_to(30), _rotate, _rotation),  # degrees against the clock
    "Solarize": Operation(lambda level, sign: np.rint(256 * (1 - level)), table=_solarized, signed=False),
    "Color": Operation(factor, lambda image, by: ImageEnhance.Color(image).enhance(by), device="luma"),
    "Posterize": Operation(lambda level, sign: 8 - np.rint(8 - 4 * level), table=_posterized, signed=False),
    "Contrast": Operation(factor, _contrast, device="mean"),
    "Brightness": Operation(factor, table=_brightened),
    "Sharpness": Operation(factor, _sharpness, device="smooth"),
    "ShearX": Operation(up_to(0.3), matrix=lambda by, height, width: (1, by, 0, 0, 1, 0)),
    "ShearY": Operation(up_to(0.3), matrix=lambda by, height, width: (1, 0, 0, by, 1, 0)),
    "TranslateX": Operation(  # in 331sts of the side
        up_to(150), partial(_translate, axis=0), lambda by, height, width: (1, 0, by * width / 331, 0, 1, 0)
    ),
    "TranslateY": Operation(
        up_to(150), partial(_translate, axis=1), lambda by, height, width: (1, 0, 0, 0, 1, by * height / 331)
    ),
}
NAMES = tuple(OPERATIONS)
