"""mixup and CutMix: each image of a batch is mixed with another one, and so is its label."""

import math
from dataclasses import dataclass

import numpy as np

from kerastrash.augment.augmentation import MIX
from kerastrash.errors import require


@dataclass(frozen=True)
class MixDraw:
    """How one batch is mixed."""

    permutation: np.ndarray
    """int (batch,): the image with which each one is mixed, itself possibly."""
    share: float
    """What an image keeps of itself, in [0, 1]: the weight of its own label."""
    box: tuple[int, int, int, int] | None = None
    """Top, left, bottom and right of the part that CutMix takes from the other image; None blends all of it."""

    def weights(self, height: int, width: int) -> np.ndarray:
        """float32 (height, width, 1): what each pixel keeps of its own image."""
        if self.box is None:
            return np.full((height, width, 1), self.share, np.float32)
        top, left, bottom, right = self.box
        weights = np.ones((height, width, 1), np.float32)
        weights[top:bottom, left:right] = 0
        return weights


@dataclass(frozen=True)
class Mixing:
    """mixup (Zhang et al. 2017, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899).

    Where both are on, each batch draws one of them.

    Raises:
        ConfigError: a setting is out of its range.
    """

    mixup: float = 0.0
    """Alpha of the Beta(alpha, alpha) from which mixup draws its share; 0 leaves it out."""
    cutmix: float = 0.0
    """Alpha of the Beta(alpha, alpha) from which CutMix draws the area that stays; 0 leaves it out."""

    def __post_init__(self) -> None:
        for option, alpha in (("mixup", self.mixup), ("cutmix", self.cutmix)):
            require(0 <= alpha < math.inf, option, alpha, "must be 0 or a positive number")

    def draw(self, seed: int, epoch: int, batch_number: int, batch_size: int, side: int) -> MixDraw:
        """The draw of one batch of square images; where both are off, every image stays as it is."""
        if not (self.mixup or self.cutmix):
            return MixDraw(np.arange(batch_size), 1.0)
        rng = np.random.default_rng((seed, epoch, batch_number, MIX))
        permutation = rng.permutation(batch_size)
        if not self.cutmix or (self.mixup and rng.random() >= 0.5):
            return MixDraw(permutation, rng.beta(self.mixup, self.mixup))
        # a square of 1 - share of the area with its middle anywhere, clipped to the image (equation 2 of the paper)
        cut = int(side * math.sqrt(1 - rng.beta(self.cutmix, self.cutmix)))
        top, left = (int(middle) - cut // 2 for middle in rng.integers(side, size=2))
        top, left, bottom, right = max(top, 0), max(left, 0), min(top + cut, side), min(left + cut, side)
        return MixDraw(permutation, 1 - (bottom - top) * (right - left) / side**2, (top, left, bottom, right))


def mix_images(images: np.ndarray, draw: MixDraw) -> np.ndarray:
    """Mixes (batch, height, width, 3) of any dtype in numpy: float32; `device.mix_batch` does the same on a device."""
    own = draw.weights(*images.shape[1:3])
    return own * images + (1 - own) * images[draw.permutation]


def mix_labels(labels: np.ndarray, draw: MixDraw, classes: int) -> np.ndarray:
    """The targets of a mixed batch: int (batch,) to float32 (batch, classes), every row summing to 1."""
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return np.float32(draw.share) * one_hot + np.float32(1 - draw.share) * one_hot[draw.permutation]
