"""The settings of augmentation: RandAugment over fourteen operations, horizontal flip, quarter turns, Cutout."""

from dataclasses import dataclass

import numpy as np

from kerastrash.augment.draws import MAX_SELECT, Draws, draw_rows
from kerastrash.augment.pillow import augment_image
from kerastrash.errors import require


@dataclass(frozen=True)
class Augmentation:
    """Changes a crop at random while its class stays.

    RandAugment is Cubuk et al. 2020, arXiv:1909.13719, with each image drawing its own operations and its own level;
    Cutout is DeVries & Taylor 2017, arXiv:1708.04552. `device.augment_batch` applies the same draws to a batch on the
    backend's device.

    Raises:
        ConfigError: a setting is out of its range.
    """

    n_select: int = 2
    """Operations of RandAugment applied to each image, drawn without repetition: 0 to 6."""
    level: float | None = None
    """Strength of the operations in [0, 1]; None draws one for each image."""
    n_level: int = 10
    """A drawn level is one of 0, 1 / n_level, 2 / n_level, ..., 1, all equally likely."""
    flip: bool = True
    """Mirrors half of the images left to right."""
    turn: bool = False
    """Turns each image, which must be square, by 0 to 3 quarter turns: for photographs from above."""
    cutout: float = 0.0
    """Side of the grey square of Cutout as a share of the image's side, in [0, 1]; 0 leaves it out."""

    def __post_init__(self) -> None:
        whole = self.n_select in range(MAX_SELECT + 1)
        require(whole, "n_select", self.n_select, f"must be a whole number from 0 to {MAX_SELECT}")
        require(self.level is None or 0 <= self.level <= 1, "level", self.level, "must lie in [0, 1], or be left out")
        require(self.n_level in range(1, 1001), "n_level", self.n_level, "must be a whole number from 1 to 1000")
        require(0 <= self.cutout <= 1, "cutout", self.cutout, "must lie in [0, 1]")

    def draw(self, seed: int, epoch: int, count: int) -> Draws:
        """The draws of one epoch for a cache of `count` crops, row i for crop i, whatever the count."""
        return draw_rows(seed, epoch, count, self.n_select, self.level, self.n_level, self.flip, self.turn)

    def apply(self, image: np.ndarray, draw: Draws) -> np.ndarray:
        """Augments one uint8 RGB image (height, width, 3) with Pillow, the reference; the input stays as it is.

        Args:
            draw: the draw of one image, `draws[index]`.
        """
        return augment_image(image, draw, self.cutout)

    def apply_each(self, images: np.ndarray, draws: Draws) -> None:
        """Augments a batch, uint8 (batch, height, width, 3), in place, each image by its own row of `draws`."""
        for place, image in enumerate(images):
            image[...] = self.apply(image, draws[place])
