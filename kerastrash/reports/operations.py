"""A picture of the operations of augmentation, each in its two forms side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from keras import ops
from PIL import Image, ImageDraw, ImageFont

from kerastrash.augment.augmentation import Augmentation, Draws
from kerastrash.augment.device import augment_batch
from kerastrash.augment.operations import NAMES, OPERATIONS
from kerastrash.files import atomic_path

STRENGTHS = {"level 0.5": (0.5, 1), "level 1": (1.0, 1), "level 1, other sign": (1.0, -1)}
"""Level and sign of each pair of pictures, left to right."""
BLOCKS, LABEL, LINE, GAP = 2, 96, 26, 8
"""Operations beside each other; pixels of a label, of the headings and between pairs."""


def draw_operations(crops: Sequence[np.ndarray], path: Path) -> None:
    """Draws every operation on one of the crops: Pillow's form to the left of each pair, the device's to the right.

    Args:
        crops: uint8 (size, size, 3) each, taken in turn.
    """
    size = len(crops[0])
    pair, rows = 2 * size + GAP, -(-len(NAMES) // BLOCKS)
    block = LABEL + len(STRENGTHS) * pair + GAP
    sheet = Image.new("RGB", (BLOCKS * block, LINE + rows * (size + GAP)), "white")
    write, font = ImageDraw.Draw(sheet).text, ImageFont.load_default(13)
    for left in range(LABEL, BLOCKS * block, block):
        for number, heading in enumerate(STRENGTHS):
            write((left + number * pair, GAP), heading, fill="black", font=font)
    for place, name in enumerate(NAMES):
        left, top = place // rows * block, LINE + place % rows * (size + GAP)
        write((left + GAP, top + size // 2 - GAP), name, fill="black", font=font)
        for number, (level, sign) in enumerate(STRENGTHS.values()):
            if sign > 0 or OPERATIONS[name].signed:
                for form, augmented in enumerate(both_forms(crops[place % len(crops)], name, level, sign)):
                    sheet.paste(Image.fromarray(augmented), (left + LABEL + number * pair + form * size, top))
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)


def both_forms(crop: np.ndarray, name: str, level: float, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """The crop under one operation: by Pillow, and by the device form, both uint8."""
    draws = Draws(
        operations=np.int8([[NAMES.index(name)]]),
        signs=np.int8([[sign]]),
        levels=np.float32([level]),
        flips=np.array([False]),
        turns=np.int8([0]),
        centres=np.float32([[0, 0]]),
    )
    augmented = ops.convert_to_numpy(augment_batch(crop[None], draws))[0]
    return Augmentation().apply(crop, draws[0]), augmented.astype(np.uint8)
