"""The settings of augmentation (RandAugment, horizontal flip, quarter turns, Cutout), what is drawn by them, and the
process that applies them to batches: Python's lock lets threads use little more than one core for small images."""

import functools
import mmap
import zlib
from dataclasses import dataclass, fields

import numpy as np
from PIL import Image

from kerastrash.augment.operations import GREY, NAMES, OPERATIONS
from kerastrash.data.records import MappedReader
from kerastrash.errors import require
from kerastrash.processes import Child, ChildError

CONTEST = (
    *("Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize"),
    *("Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"),
)
"""The contest's fourteen operations, by the columns of their random numbers: no other is ever to join them."""
MAX_SELECT = 6
CROP, MIX = 1, 2
"""What a stream of random numbers is for, the fourth word of its seed; 0 is the order of the images."""
QUARTER_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


@dataclass(frozen=True)
class Draws:
    """What is done to each of n images. Indexing takes rows; one whole number gives the draw of one image, whose
    arrays have no first axis."""

    operations: np.ndarray
    """int8 (n, n_select): indices into `NAMES`, in the order in which they apply; none twice in a row."""
    signs: np.ndarray
    """int8 (n, n_select): -1 or 1, the direction of each operation."""
    levels: np.ndarray
    """float32 (n,): the strength of all operations of an image, in [0, 1]."""
    flips: np.ndarray
    """bool (n,): mirrored left to right."""
    turns: np.ndarray
    """int8 (n,): quarter turns against the clock, 0 to 3, after the mirroring."""
    centres: np.ndarray
    """float32 (n, 2): vertical and horizontal position of the middle of Cutout's square, in [0, 1)."""

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
    operations: tuple[str, ...] | None = None
    """Names of the operations that are drawn from; None for the contest's fourteen."""

    def __post_init__(self) -> None:
        names = self.names
        known = 0 < len(set(names)) == len(names) and set(names) <= set(NAMES)
        require(known, "operations", self.operations, f"must be some of {', '.join(NAMES)}, each once")
        most = min(MAX_SELECT, len(names))
        require(self.n_select in range(most + 1), "n_select", self.n_select, f"must be a whole number from 0 to {most}")
        require(self.level is None or 0 <= self.level <= 1, "level", self.level, "must lie in [0, 1], or be left out")
        require(self.n_level in range(1, 1001), "n_level", self.n_level, "must be a whole number from 1 to 1000")
        require(0 <= self.cutout <= 1, "cutout", self.cutout, "must lie in [0, 1]")

    @property
    def names(self) -> tuple[str, ...]:
        """The operations that are drawn from."""
        return CONTEST if self.operations is None else tuple(self.operations)

    def draw(self, seed: int, epoch: int, count: int) -> Draws:
        """The draws of one epoch for a cache of `count` crops, row i for crop i, whatever the count.

        An image draws the operations with its lowest keys, and an operation's keys follow from its name: whichever
        others there are, an image that does not draw them keeps its draw.
        """
        rng = np.random.default_rng((seed, epoch, 0, CROP))
        uniform = rng.random((count, len(CONTEST) + MAX_SELECT + 4), dtype=np.float32)
        contest, sign, rest = np.split(uniform, (len(CONTEST), len(CONTEST) + MAX_SELECT), axis=1)
        columns = dict(zip(CONTEST, contest.T, strict=True))
        keys = [columns[name] if name in columns else _own_keys(name, seed, epoch, count) for name in self.names]
        lowest = np.argsort(np.stack(keys, axis=1), axis=1, kind="stable")[:, : self.n_select]
        view = np.floor(rest[:, 1] * 8).astype(np.int8)  # of the eight views of a square
        drawn = np.floor(rest[:, 0].astype(np.float64) * (self.n_level + 1)) / self.n_level
        return Draws(
            operations=np.array([NAMES.index(name) for name in self.names], np.int8)[lowest],
            signs=np.where(sign[:, : self.n_select] < 0.5, 1, -1).astype(np.int8),
            levels=np.asarray(drawn if self.level is None else np.full(count, self.level), np.float32),
            flips=(view < 4) & self.flip,
            turns=view % 4 * np.int8(self.turn),
            centres=rest[:, 2:],
        )

    def apply(self, image: np.ndarray, draw: Draws) -> np.ndarray:
        """Augments one uint8 image (height, width, 3) by `draws[index]` with Pillow, the reference; the input stays."""
        picture = Image.fromarray(image)
        if draw.flips:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if draw.turns:
            picture = picture.transpose(QUARTER_TURNS[draw.turns - 1])
        for operation, sign in zip(draw.operations.tolist(), draw.signs.tolist(), strict=True):
            picture = OPERATIONS[NAMES[operation]].apply(picture, float(draw.levels), sign)
        augmented = np.array(picture)
        if self.cutout:
            top, left, bottom, right = draw.squares(*image.shape[:2], self.cutout)
            augmented[top:bottom, left:right] = GREY
        return augmented

    def apply_each(self, images: np.ndarray, draws: Draws) -> None:
        """Augments a batch, uint8 (batch, height, width, 3), in place, each image by its own row of `draws`."""
        for index, image in enumerate(images):
            image[...] = self.apply(image, draws[index])


def _own_keys(name: str, seed: int, epoch: int, count: int) -> np.ndarray:
    """Those of an operation that came after the contest's: a stream that its name seeds."""
    rng = np.random.default_rng((seed, epoch, zlib.crc32(name.encode()), CROP))
    return rng.random(count, dtype=np.float32)


class Worker:
    """A process that augments one batch at a time; calls from several threads must not overlap.

    Args:
        images: uint8 (n, height, width, 3); where it is memory-mapped, the process maps it too, otherwise the rows of a
            batch are sent.
        augmentation: what is done to each image.
    """

    def __init__(self, images: np.ndarray, augmentation: Augmentation) -> None:
        self._images, self._augmentation = images, augmentation
        whole = isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap)  # and no part of a mapped array
        self._file = (str(images.filename), images.offset, images.shape) if whole else None
        self.child = Child({"OMP_NUM_THREADS": "1"})

    def augment(self, indices: np.ndarray, draws: Draws) -> np.ndarray:
        """The images at `indices`, each by its row of `draws`: a new uint8 array.

        Raises:
            ChildError: the process has ended.
        """
        rows = indices if self._file else self._images[indices]
        try:
            return self.child.call(f"{__name__}:augmented", self._file, rows, self._augmentation, draws)
        except ChildError as error:
            remedy = "what it said stands above; --workers 0 augments without such processes"
            raise ChildError(f"augmenting images: {error}; {remedy}", error.traceback) from error


def augmented(
    file: tuple[str, int, tuple[int, ...]] | None, rows: np.ndarray, augmentation: Augmentation, draws: Draws
) -> np.ndarray:
    """What the process does: rows of the file (its path, the array's offset and shape), or pixels as they were sent."""
    pixels = _reader(*file).rows(rows) if file else rows
    augmentation.apply_each(pixels, draws)
    return pixels


@functools.cache
def _reader(path: str, offset: int, shape: tuple[int, ...]) -> MappedReader:
    return MappedReader(np.memmap(path, np.uint8, "r", offset, shape))
