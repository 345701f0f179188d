"""What draws mean for a batch, in numpy: who draws which operation how strong, and where geometry reads its pixels."""

from collections.abc import Iterator

import numpy as np

from kerastrash.augment.augmentation import Draws
from kerastrash.augment.operations import OPERATIONS, Operation


def drawn(draws: Draws, step: int) -> Iterator[tuple[np.ndarray, Operation, np.ndarray]]:
    """The images (n,) that draw each operation as their number `step`, and its strengths, float64 (n,)."""
    for number, operation in enumerate(OPERATIONS.values()):
        rows = np.flatnonzero(draws.operations[:, step] == number)
        if len(rows):
            yield rows, operation, operation.strength(draws.levels[rows].astype(np.float64), draws.signs[rows, step])


def moves(draws: Draws, height: int, width: int) -> np.ndarray | None:
    """float64 (n, 2, 3): from a point (x, y, 1) of the augmented image to the point of the original that it shows.

    The flip, the quarter turns and all geometric operations of an image in their order; None where no image has any.
    The middle of the first pixel is (0.5, 0.5) in the augmented image, as in Pillow, and (0, 0) in the original.

    Raises:
        ValueError: an image that is not square is to be turned.
    """
    whole = np.tile(np.eye(3), (len(draws), 1, 1))
    whole[draws.flips, 0] = -1, 0, width
    if draws.turns.any():
        if height != width:
            raise ValueError(f"quarter turns are for square images, not for {width} x {height}")
        once = np.array([[0, -1, width], [1, 0, 0], [0, 0, 1]])
        whole = whole @ np.stack([np.linalg.matrix_power(once, turns) for turns in range(4)])[draws.turns]
    for step in range(draws.operations.shape[1]):
        moved = np.tile(np.eye(3), (len(draws), 1, 1))
        for rows, operation, strengths in drawn(draws, step):
            if operation.matrix:
                coefficients = np.broadcast_arrays(*operation.matrix(strengths, height, width))
                moved[rows, :2] = np.stack(coefficients, axis=-1).reshape(-1, 2, 3)
        whole = whole @ moved
    return whole[:, :2] - [0, 0, 0.5] if (whole != np.eye(3)).any() else None
