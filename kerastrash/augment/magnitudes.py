"""How strong each operation is at a level in [0, 1] and a sign of -1 or 1: the contest's magnitudes.

Every function takes numbers or arrays; level 0 leaves the image as it is.
"""

import numpy as np

Number = float | np.ndarray


def degrees(level: Number, sign: Number) -> Number:
    """Rotation counter-clockwise, up to 30 degrees."""
    return 30 * sign * level


def shear(level: Number, sign: Number) -> Number:
    """Pixels along one axis a pixel of the other, up to 0.3."""
    return 0.3 * sign * level


def shift(level: Number, sign: Number, side: int) -> Number:
    """Translation in pixels, up to 150/331 of the side."""
    return sign * level * side * 150 / 331


def factor(level: Number, sign: Number) -> Number:
    """Of Color, Contrast, Brightness and Sharpness: from 1 down to 0.1 or up to 1.9."""
    return 1 + 0.9 * sign * level


def threshold(level: Number) -> Number:
    """Solarize inverts the values from here up: a whole number from 256 down to 0."""
    return np.rint(256 * (1 - level))


def dropped_bits(level: Number) -> Number:
    """The lowest bits that Posterize clears: a whole number from 0 to 4."""
    return 8 - np.rint(8 - 4 * level)
