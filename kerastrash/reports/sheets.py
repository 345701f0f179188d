"""Sheets of pictures: what a net predicts of photographs, and what the operations of augmentation do to them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from keras import ops
from PIL import Image, ImageDraw, ImageFont, ImageOps

from kerastrash.augment.augmentation import Augmentation, Draws
from kerastrash.augment.device import plan_batch
from kerastrash.augment.operations import NAMES, OPERATIONS
from kerastrash.backends import batch_augmenter
from kerastrash.data import SplitData, read_crop
from kerastrash.data.images import ImageError
from kerastrash.files import atomic_path
from kerastrash.scoring.evaluate import Evaluation

TILE, FRAME, ROW = 112, 3, 10
"""Pixels of a photograph and of its frame; photographs in a row."""
MOST, MOST_WRONG = 60, 40
"""Photographs on a sheet, and those of them that the net takes for something else."""
RIGHT, WRONG = "#cccccc", "#d62728"


def draw_predictions(examples: SplitData, evaluation: Evaluation, classes: Sequence[str], path: Path) -> None:
    """Draws crops with the class that a net gives them and how certain it is, the worst first, framed red.

    Args:
        examples, evaluation: a split, and what the net said of it.
    """
    shown = worst_first(evaluation)
    width, height, font = TILE + 2 * FRAME + 2, TILE + 2 * FRAME + 34, ImageFont.load_default(12)
    sheet = Image.new("RGB", (min(ROW, len(shown)) * width, -(-len(shown) // ROW) * height), "white")
    write = ImageDraw.Draw(sheet).text
    for number, index in enumerate(shown):
        left, top = number % ROW * width, number // ROW * height
        label, predicted = evaluation.labels[index], evaluation.predicted[index]
        colour = RIGHT if label == predicted else WRONG
        sheet.paste(ImageOps.expand(_photograph(examples, index), FRAME, colour), (left, top))
        lines = [_fitting(classes[predicted], f" {evaluation.certainty[index]:.0%}", font)]
        lines += [_fitting(f"is {classes[label]}", "", font)] if label != predicted else []
        write((left + FRAME, top + TILE + 2 * FRAME), "\n".join(lines), fill="black", font=font)
    _save(sheet, path)


def worst_first(evaluation: Evaluation) -> list[int]:
    """Indices of the images on the sheet: wrong answers, the most certain first, then right ones, the least certain."""
    right = evaluation.labels == evaluation.predicted
    wrong = [index for index in np.argsort(-evaluation.certainty, kind="stable").tolist() if not right[index]]
    good = [index for index in np.argsort(evaluation.certainty, kind="stable").tolist() if right[index]]
    wrong = wrong[: max(MOST_WRONG, MOST - len(good))]
    return wrong + good[: MOST - len(wrong)]


def _photograph(examples: SplitData, index: int) -> Image.Image:
    try:
        return Image.fromarray(read_crop(examples.crops[index], TILE))
    except ImageError:  # gone since it was decoded: as the net sees it
        return Image.fromarray(np.asarray(examples.images[examples.indices[index]])).resize((TILE, TILE))


def _fitting(name: str, end: str, font: ImageFont.FreeTypeFont) -> str:
    """The name, cut so that it fits under a photograph together with what follows it."""
    whole = name
    while font.getlength(name + end) > TILE + FRAME and name:
        name = name[:-1]
    return (name if name == whole else f"{name[:-1]}…") + end


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
    for index, name in enumerate(NAMES):
        left, top = index // rows * block, LINE + index % rows * (size + GAP)
        write((left + GAP, top + size // 2 - GAP), name, fill="black", font=font)
        for number, (level, sign) in enumerate(STRENGTHS.values()):
            if sign > 0 or OPERATIONS[name].signed:
                for form, augmented in enumerate(both_forms(crops[index % len(crops)], name, level, sign)):
                    sheet.paste(Image.fromarray(augmented), (left + LABEL + number * pair + form * size, top))
    _save(sheet, path)


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
    plan = (batch_augmenter() or plan_batch)(draws, *crop.shape[:2])
    augmented = plan(ops.convert_to_tensor(crop[None]), ops.zeros(1, "int32"))
    return Augmentation().apply(crop, draws[0]), ops.convert_to_numpy(augmented)[0].astype(np.uint8)


def _save(sheet: Image.Image, path: Path) -> None:
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)
