"""Augmentation of one crop: RandAugment over fourteen Pillow operations, horizontal flip, Cutout."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from kerastrash.errors import require

GREY = (128, 128, 128)
MAX_SELECT = 6
Operation = Callable[[Image.Image, float, int], Image.Image]


def _affine(image: Image.Image, *coefficients: float) -> Image.Image:
    """Resamples: output pixel (x, y) is read at (a x + b y + c, d x + e y + f); grey where that lies outside."""
    return image.transform(image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=GREY)


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=GREY)


# Operation(image, level in [0, 1], sign): level 0 leaves the picture, level 1 is the strongest. The magnitudes are the
# contest's. AutoContrast and Equalize have no level; Solarize and Posterize have no sign.
OPERATIONS: dict[str, Operation] = {
    "Identity": lambda image, level, sign: image,
    "AutoContrast": lambda image, level, sign: ImageOps.autocontrast(image),
    "Equalize": lambda image, level, sign: ImageOps.equalize(image),
    "Rotate": lambda image, level, sign: _rotate(image, sign * 30 * level),
    "Solarize": lambda image, level, sign: ImageOps.solarize(image, round(256 * (1 - level))),
    "Color": lambda image, level, sign: ImageEnhance.Color(image).enhance(1 + sign * 0.9 * level),
    "Posterize": lambda image, level, sign: ImageOps.posterize(image, round(8 - 4 * level)),
    "Contrast": lambda image, level, sign: ImageEnhance.Contrast(image).enhance(1 + sign * 0.9 * level),
    "Brightness": lambda image, level, sign: ImageEnhance.Brightness(image).enhance(1 + sign * 0.9 * level),
    "Sharpness": lambda image, level, sign: ImageEnhance.Sharpness(image).enhance(1 + sign * 0.9 * level),
    "ShearX": lambda image, level, sign: _affine(image, 1, sign * 0.3 * level, 0, 0, 1, 0),
    "ShearY": lambda image, level, sign: _affine(image, 1, 0, 0, sign * 0.3 * level, 1, 0),
    "TranslateX": lambda image, level, sign: _affine(image, 1, 0, sign * level * image.width * 150 / 331, 0, 1, 0),
    "TranslateY": lambda image, level, sign: _affine(image, 1, 0, 0, 0, 1, sign * level * image.height * 150 / 331),
}
NAMES = tuple(OPERATIONS)


@dataclass(frozen=True)
class Augmentation:
    """Changes a crop at random while its class stays.

    RandAugment is Cubuk et al. 2020, arXiv:1909.13719, with each image drawing its own operations and its own level;
    Cutout is DeVries & Taylor 2017, arXiv:1708.04552.

    Raises:
        ConfigError: a setting is out of its range.
    """

    n_select: int = 2
    """Operations of RandAugment applied to each image, drawn without repetition: 0 to 6."""
    level: float | None = None
    """Strength of the operations in [0, 1]; None draws one for each image, uniformly."""
    flip: bool = True
    """Mirrors half of the images left to right."""
    cutout: float = 0.0
    """Side of the grey square of Cutout as a share of the image's side, in [0, 1]; 0 leaves it out."""

    def __post_init__(self) -> None:
        whole = self.n_select in range(MAX_SELECT + 1)
        require(whole, "n_select", self.n_select, f"must be a whole number from 0 to {MAX_SELECT}")
        require(self.level is None or 0 <= self.level <= 1, "level", self.level, "must lie in [0, 1], or be left out")
        require(0 <= self.cutout <= 1, "cutout", self.cutout, "must lie in [0, 1]")

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augments one uint8 RGB image (height, width, 3); the same state of `rng` gives the same picture."""
        picture = Image.fromarray(image)
        if self.flip and rng.random() < 0.5:
            picture = ImageOps.mirror(picture)
        level = rng.random() if self.level is None else self.level
        for name in self.draw(rng):
            picture = OPERATIONS[name](picture, level, 1 if rng.random() < 0.5 else -1)
        augmented = np.array(picture)
        return cut_out(augmented, self.cutout, rng) if self.cutout else augmented

    def draw(self, rng: np.random.Generator) -> list[str]:
        """The names of the operations for one image, in the order in which they apply."""
        return [NAMES[index] for index in rng.choice(len(NAMES), self.n_select, replace=False)]


def cut_out(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A copy of the image (height, width, 3) with a grey square of `share` of its longer side, its centre anywhere."""
    height, width = image.shape[:2]
    side = round(share * max(height, width))
    top, left = int(rng.integers(height)) - side // 2, int(rng.integers(width)) - side // 2
    cut = image.copy()
    cut[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = GREY
    return cut
