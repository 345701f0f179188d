"""The random numbers of augmentation: which operations, how strong, for every image of the cache."""

from dataclasses import dataclass, fields

import numpy as np

NAMES = (
    *("Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize"),
    *("Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"),
)
"""The contest's fourteen operations; a draw holds their places in this tuple."""
MAX_SELECT = 6
CROP, MIX = 1, 2
"""What a stream of random numbers is for, the fourth word of its seed; 0 is the order of the images."""
COLUMNS = len(NAMES) + MAX_SELECT + 4


@dataclass(frozen=True)
class Draws:
    """What is done to each of n images. Indexing takes rows; one whole number gives the draw of one image, whose
    arrays have no first axis."""

    operations: np.ndarray
    """int8 (n, n_select): places in `NAMES`, in the order in which they apply; none twice in a row."""
    signs: np.ndarray
    """int8 (n, n_select): -1 or 1, the direction of each operation."""
    levels: np.ndarray
    """float32 (n,): the strength of all operations of an image, in [0, 1]."""
    flips: np.ndarray
    """bool (n,): mirrored left to right."""
    turns: np.ndarray
    """int8 (n,): quarter turns against the clock, 0 to 3, after the mirroring."""
    centres: np.ndarray
    """float32 (n, 2): vertical and horizontal place of the middle of Cutout's square, in [0, 1)."""

    def __getitem__(self, rows: int | slice | np.ndarray) -> "Draws":
        return Draws(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.flips)

    def squares(self, height: int, width: int, share: float) -> np.ndarray:
        """Top, left, bottom and right of Cutout's squares in pixels, none below 0: int32 (n, 4).

        Args:
            share: the side of the square as a share of the longer side of the image.
        """
        side = round(share * max(height, width))
        start = np.floor(self.centres * np.float32((height, width))).astype(np.int32) - side // 2
        return np.concatenate([np.maximum(start, 0), np.maximum(start + side, 0)], axis=-1)


def draw_rows(
    seed: int, epoch: int, count: int, n_select: int, level: float | None, n_level: int, flip: bool, turn: bool
) -> Draws:
    """The draws of an epoch for crops 0 to count - 1 of the cache; a crop's row is the same whatever the count."""
    uniform = np.random.default_rng((seed, epoch, 0, CROP)).random((count, COLUMNS), dtype=np.float32)
    choice, sign, rest = np.split(uniform, (len(NAMES), len(NAMES) + MAX_SELECT), axis=1)
    view = np.floor(rest[:, 1] * 8).astype(np.int8)  # of the eight views of a square
    drawn = np.floor(rest[:, 0].astype(np.float64) * (n_level + 1)) / n_level
    return Draws(
        operations=np.argsort(choice, axis=1, kind="stable")[:, :n_select].astype(np.int8),
        signs=np.where(sign[:, :n_select] < 0.5, 1, -1).astype(np.int8),
        levels=np.asarray(drawn if level is None else np.full(count, level), np.float32),
        flips=(view < 4) & flip,
        turns=view % 4 * np.int8(turn),
        centres=rest[:, 2:],
    )
