"""The Pillow form of augmentation, the reference: one image at a time."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance

from kerastrash.augment.draws import NAMES, Draws
from kerastrash.augment.magnitudes import degrees, dropped_bits, factor, shear, shift, threshold

GREY = (128, 128, 128)
QUARTER_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
UNLEVELLED = ("AutoContrast", "Equalize")
"""Operations that change an image at level 0 too."""
Operation = Callable[[Image.Image, float, int], Image.Image]


def _affine(image: Image.Image, *coefficients: float) -> Image.Image:
    """Resamples: output pixel (x, y) is read at (a x + b y + c, d x + e y + f); grey where that lies outside."""
    return image.transform(image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=GREY)


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=GREY)


def _translate(image: Image.Image, by: float, axis: int) -> Image.Image:
    """Reads every pixel `by` pixels further along x (axis 0) or y (axis 1): the pixels of `_affine`, five times faster.

    Each pixel is a blend of two neighbours; the outermost within half a pixel of the border have but one.
    """
    last = image.size[axis] - 1
    first, second = [0, 0, *image.size], [0, 0, *image.size]
    first[2 + axis], second[axis] = last, 1
    whole, nearest = math.floor(by), math.floor(by + 0.5)
    between = Image.blend(image.crop(first), image.crop(second), by - whole)
    moved = Image.new("RGB", image.size, GREY)
    for part, start in ((image, -nearest), (between, -whole)):
        moved.paste(part, (start, 0) if axis == 0 else (0, start))
    return moved


def _brightness(image: Image.Image, by: float) -> Image.Image:
    return Image.blend(Image.new("RGB", image.size), image, by)


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


def _solarize(image: Image.Image, start: int) -> Image.Image:
    pixels = np.asarray(image)
    return Image.fromarray(pixels ^ np.uint8(255) * (pixels >= start))


def _posterize(image: Image.Image, dropped: int) -> Image.Image:
    return Image.fromarray(np.asarray(image) >> dropped << dropped)


def _autocontrast(image: Image.Image) -> Image.Image:
    low, high = np.array(image.getextrema(), np.float64).T[..., None]
    scale = 255 / np.maximum(high - low, 1)
    stretched = np.clip(np.arange(256) * scale - low * scale, 0, 255)
    return _look_up(image, np.where(high > low, stretched, np.arange(256)))


def _equalize(image: Image.Image) -> Image.Image:
    counts = np.array(image.histogram()).reshape(3, 256)
    below = np.cumsum(counts, axis=1) - counts
    step = np.where(counts > 0, below, 0).max(axis=1, keepdims=True) // 255
    spread = np.minimum((step // 2 + below) // np.maximum(step, 1), 255)
    return _look_up(image, np.where(step > 0, spread, np.arange(256)))


def _look_up(image: Image.Image, tables: np.ndarray) -> Image.Image:
    """Replaces value v of channel c by tables[c, v], its fraction dropped."""
    return image.point(tables.astype(np.int64).ravel().tolist())


# Operation(image, level in [0, 1], sign): level 0 leaves the picture, level 1 is the strongest. AutoContrast and
# Equalize have no level; Solarize and Posterize have no sign. Where ImageOps, ImageEnhance and ImageFilter spend their
# time in Python or in slow loops, the same pixels are computed from faster parts.
OPERATIONS: dict[str, Operation] = {
    "Identity": lambda image, level, sign: image,
    "AutoContrast": lambda image, level, sign: _autocontrast(image),
    "Equalize": lambda image, level, sign: _equalize(image),
    "Rotate": lambda image, level, sign: _rotate(image, degrees(level, sign)),
    "Solarize": lambda image, level, sign: _solarize(image, int(threshold(level))),
    "Color": lambda image, level, sign: ImageEnhance.Color(image).enhance(factor(level, sign)),
    "Posterize": lambda image, level, sign: _posterize(image, int(dropped_bits(level))),
    "Contrast": lambda image, level, sign: _contrast(image, factor(level, sign)),
    "Brightness": lambda image, level, sign: _brightness(image, factor(level, sign)),
    "Sharpness": lambda image, level, sign: _sharpness(image, factor(level, sign)),
    "ShearX": lambda image, level, sign: _affine(image, 1, shear(level, sign), 0, 0, 1, 0),
    "ShearY": lambda image, level, sign: _affine(image, 1, 0, 0, shear(level, sign), 1, 0),
    "TranslateX": lambda image, level, sign: _translate(image, shift(level, sign, image.width), axis=0),
    "TranslateY": lambda image, level, sign: _translate(image, shift(level, sign, image.height), axis=1),
}


def augment_image(image: np.ndarray, draw: Draws, cutout: float) -> np.ndarray:
    """Flip, turns, drawn operations in their order, Cutout: uint8 (height, width, 3) to a new array of this kind."""
    picture = Image.fromarray(image)
    if draw.flips:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if draw.turns:
        picture = picture.transpose(QUARTER_TURNS[draw.turns - 1])
    level = float(draw.levels)
    for operation, sign in zip(draw.operations.tolist(), draw.signs.tolist(), strict=True):
        name = NAMES[operation]
        if level or name in UNLEVELLED:
            picture = OPERATIONS[name](picture, level, sign)
    augmented = np.array(picture)
    if cutout:
        top, left, bottom, right = draw.squares(*image.shape[:2], cutout)
        augmented[top:bottom, left:right] = GREY
    return augmented
