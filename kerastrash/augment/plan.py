"""What the device form is told of a batch's draws: small numpy arrays, computed on the host."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from kerastrash.augment.draws import NAMES, Draws
from kerastrash.augment.magnitudes import degrees, dropped_bits, factor, shear, shift, threshold

KINDS = (("Equalize",), ("AutoContrast", "Contrast"), ("Solarize", "Posterize", "Brightness"), ("Color", "Sharpness"))
"""Operations on values, by what they do: replace each value by one that depends on the histogram of the image, on its
range or mean, on the draw alone; or blend each pixel with one computed from it and its neighbours."""


@dataclass(frozen=True)
class Step:
    """What one step of a batch does to the values of k of its images; numpy arrays, or tensors once they are sent."""

    rows: Any
    """int32 (k,): their places in the batch, in the order of `KINDS`."""
    equalized: slice
    stretched: slice
    replaced: slice
    blended: slice
    """Where each kind stands among the rows; every one but the last replaces values."""
    contrasted: Any
    """bool (stretched, 1, 1): by Contrast; the others by AutoContrast."""
    contrast: Any
    """float32 (stretched, 1, 1): the factor of Contrast."""
    tables: Any
    """float32 (replaced, 3, 256): what becomes of each value of each channel."""
    coloured: Any
    """bool (blended, 1, 1, 1): blended with its grey picture; the others with their smoothed one."""
    blend: Any
    """float32 (blended, 1, 1, 1): 0 gives that picture, 1 the image itself."""


def plan_step(draws: Draws, step: int) -> Step | None:
    """Sorts the images by what operation number `step` does to their values; None where it does nothing to any."""
    rows = [_padded(np.flatnonzero(sum(_drawn(draws, step, name) for name in kind))) for kind in KINDS]
    if not any(map(len, rows)):
        return None
    ends = np.cumsum([0, *map(len, rows)]).tolist()
    _, stretched, replaced, blended = (draws[kind] for kind in rows)
    return Step(
        np.concatenate(rows).astype(np.int32),
        *(slice(start, end) for start, end in pairwise(ends)),
        _drawn(stretched, step, "Contrast")[:, None, None],
        _factors(stretched, step)[:, None, None],
        np.repeat(_tables(replaced, step)[:, None], 3, axis=1),
        _drawn(blended, step, "Color")[:, None, None, None],
        _factors(blended, step)[:, None, None, None],
    )


def _drawn(draws: Draws, step: int, name: str) -> np.ndarray:
    """bool (n,): the images whose operation number `step` is `name`."""
    return draws.operations[:, step] == NAMES.index(name)


def _padded(rows: np.ndarray) -> np.ndarray:
    """The last row repeated until their number is a power of two, so that a backend which compiles for every shape
    meets few of them; a repeated row is computed twice, to one end."""
    return np.pad(rows, (0, (1 << (len(rows) - 1).bit_length()) - len(rows)), mode="edge") if len(rows) else rows


def _factors(draws: Draws, step: int) -> np.ndarray:
    return factor(draws.levels.astype(np.float64), draws.signs[:, step]).astype(np.float32)


def _tables(draws: Draws, step: int) -> np.ndarray:
    """float32 (n, 256): what Brightness, Solarize or Posterize makes of each value."""
    levels = draws.levels.astype(np.float64)[:, None]
    values = np.arange(256, dtype=np.float32)
    brightened = np.floor(np.clip(_factors(draws, step)[:, None] * values, 0, 255))
    solarized = np.where(values >= threshold(levels), 255 - values, values)
    posterized = values - values % 2 ** dropped_bits(levels)
    names = ("Brightness", "Solarize", "Posterize")
    chosen = [_drawn(draws, step, name)[:, None] for name in names]
    return np.select(chosen, (brightened, solarized, posterized)).astype(np.float32)


def plan_places(draws: Draws, height: int, width: int) -> np.ndarray | None:
    """float64 (n, 2, 3): from a place (x, y, 1) in the augmented image to the place (x, y) in the original it shows.

    The flip, the quarter turns and all geometric operations of an image in their order; None where no image has any.
    Places are in pixels, the middle of the first pixel at (0.5, 0.5), as in Pillow.

    Raises:
        ValueError: an image that is not square is to be turned.
    """
    whole = np.tile(np.eye(3), (len(draws), 1, 1))
    whole[draws.flips, 0] = -1, 0, width
    if draws.turns.any():
        whole = whole @ _quarter_turns(height, width)[draws.turns]
    for step in range(draws.operations.shape[1]):
        whole = whole @ _matrices(draws, step, height, width)
    return whole[:, :2] if (whole != np.eye(3)).any() else None


def _quarter_turns(height: int, width: int) -> np.ndarray:
    """(4, 3, 3): what 0 to 3 quarter turns against the clock do to places."""
    if height != width:
        raise ValueError(f"quarter turns are for square images, not for {width} x {height}")
    once = np.array([[0, -1, width], [1, 0, 0], [0, 0, 1]])
    return np.stack([np.linalg.matrix_power(once, turns) for turns in range(4)])


def _matrices(draws: Draws, step: int, height: int, width: int) -> np.ndarray:
    """float64 (n, 3, 3) of operation number `step` alone; the identity where it is not geometric."""
    levels, signs = draws.levels.astype(np.float64), draws.signs[:, step]
    turn = np.radians(degrees(levels, signs))
    matrices = np.tile(np.eye(3), (len(draws), 1, 1))
    for name, row, column, entry in (
        *(("Rotate", axis, axis, np.cos(turn)) for axis in (0, 1)),
        ("Rotate", 0, 1, -np.sin(turn)),
        ("Rotate", 1, 0, np.sin(turn)),
        ("Rotate", 0, 2, width / 2 * (1 - np.cos(turn)) + height / 2 * np.sin(turn)),
        ("Rotate", 1, 2, height / 2 * (1 - np.cos(turn)) - width / 2 * np.sin(turn)),
        ("ShearX", 0, 1, shear(levels, signs)),
        ("ShearY", 1, 0, shear(levels, signs)),
        ("TranslateX", 0, 2, shift(levels, signs, width)),
        ("TranslateY", 1, 2, shift(levels, signs, height)),
    ):
        chosen = _drawn(draws, step, name)
        matrices[chosen, row, column] = entry[chosen]
    return matrices
