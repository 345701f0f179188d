"""The device form of augmentation: a whole batch on the backend's device, each image by its own draws.

What depends on the draws alone is computed on the host and sent before anything else, and constants are made on the
device: a number handed to an operation of Keras would be one more transfer, for which the host waits.
"""

from dataclasses import fields
from typing import Any

import numpy as np
from keras import ops

from kerastrash.augment.draws import Draws
from kerastrash.augment.mix import MixDraw
from kerastrash.augment.plan import Step, plan_places, plan_step

GREY = 128.0


def augment_batch(images: Any, draws: Draws, cutout: float = 0.0) -> Any:
    """Augments a batch: flip, turn and geometric operations, then the others in their order, then Cutout.

    Flip, quarter turns and all geometric operations of an image are one bilinear resampling. They come before the other
    operations of that image, which then meet the grey fill; and what one of them moves out of the picture is not lost
    to another one that moves it back. This apart the pixels are those of `Augmentation.apply`, within the tolerances of
    docs/augmentation.md. No value is read back from the device.

    Args:
        images: (batch, height, width, 3), whole values in [0, 255]: a tensor or an array, fastest in uint8.
        draws: one row an image.
        cutout: side of Cutout's square as a share of the longer side.

    Returns:
        A float32 tensor of the same shape, whole values in [0, 255].
    """
    images = ops.convert_to_tensor(images)
    _, height, width, _ = images.shape
    places = plan_places(draws, height, width)
    steps = [plan_step(draws, step) for step in range(draws.operations.shape[1])]
    steps = [_sent(step) for step in steps if step is not None]
    covered = _covered(draws.squares(height, width, cutout), height, width) if cutout else None
    images = ops.cast(images, "float32") if places is None else _resample(images, places)
    for step in steps:
        images = _change_values(images, step)
    return images if covered is None else ops.where(covered, _constant(GREY), images)


def mix_batch(images: Any, draw: MixDraw) -> Any:
    """`mix.mix_images` on the backend's device: (batch, height, width, 3), tensor or array, to a float32 tensor."""
    images = ops.cast(ops.convert_to_tensor(images), "float32")
    own = ops.convert_to_tensor(draw.weights(*images.shape[1:3]))
    return own * images + (1 - own) * ops.take(images, draw.permutation, axis=0)


def _sent(step: Step) -> Step:
    """The same step with tensors for its arrays."""
    values = (getattr(step, field.name) for field in fields(step))
    return Step(*(value if isinstance(value, slice) else ops.convert_to_tensor(value) for value in values))


def _covered(squares: np.ndarray, height: int, width: int) -> Any:
    """bool (batch, height, width, 1): under Cutout's square."""
    top, left, bottom, right = squares.T[..., None]
    rows = (np.arange(height) >= top) & (np.arange(height) < bottom)
    columns = (np.arange(width) >= left) & (np.arange(width) < right)
    return ops.convert_to_tensor(rows[:, :, None, None]) & ops.convert_to_tensor(columns[:, None, :, None])


def _constant(value: float) -> Any:
    """float32 (1,), made on the device: `ops.full` sends its value there."""
    return ops.arange(value, value + 1, dtype="float32")


def _clipped(values: Any) -> Any:
    return ops.clip(values, _constant(0.0), _constant(255.0))


def _resample(images: Any, places: np.ndarray) -> Any:
    """Reads each pixel at its place in the image: bilinear, the border repeated by half a pixel, grey beyond.

    A pixel, the one below it and their neighbours to the right are brought together first, to be fetched at once.
    """
    batch, height, width, channels = images.shape
    last = ops.convert_to_tensor(np.float32([width - 1, height - 1])[:, None, None, None])
    read_at = _read_at(places, height, width)
    inside = ops.all((read_at >= -0.5) & (read_at < last + 0.5), axis=0)
    read_at = ops.clip(read_at, _constant(0.0), last)
    start = ops.floor(read_at)
    x_share, y_share = (read_at - start)[..., None]
    pairs = ops.concatenate([images, ops.roll(images, -1, axis=1)], axis=-1)
    fours = ops.concatenate([pairs, ops.roll(pairs, -1, axis=2)], axis=-1)
    first = ops.reshape(ops.arange(batch, dtype="int32") * (height * width), (-1, 1, 1))
    index = ops.cast(start[1] * width + start[0], "int32") + first
    read = ops.cast(ops.take(ops.reshape(fours, (-1, 4 * channels)), index, axis=0), "float32")
    near, far = read[..., : 2 * channels], read[..., 2 * channels :]
    columns = near + (far - near) * x_share
    upper, lower = columns[..., :channels], columns[..., channels:]
    return ops.where(inside[..., None], ops.floor(upper + (lower - upper) * y_share), _constant(GREY))


def _read_at(places: np.ndarray, height: int, width: int) -> Any:
    """float32 (2, batch, height, width): the x and y at which each pixel is read, 0 the middle of the first pixel."""
    entries = np.moveaxis(places - [0, 0, 0.5], 0, -1)[..., None, None].astype(np.float32)
    entries = ops.convert_to_tensor(entries)
    across = ops.arange(width, dtype="float32")[None, None, None, :] + 0.5
    down = ops.arange(height, dtype="float32")[None, None, :, None] + 0.5
    return entries[:, 0] * across + entries[:, 1] * down + entries[:, 2]


def _change_values(images: Any, step: Step) -> Any:
    """Applies the operations of one step to the images whose values they change."""
    chosen = ops.take(images, step.rows, axis=0)
    looked_up, blended = chosen[: step.blended.start], chosen[step.blended]
    parts = []
    if looked_up.shape[0]:
        parts.append(_look_up(looked_up, _tables(looked_up, step)))
    if blended.shape[0]:
        degenerate = ops.where(step.coloured, _luma(blended), _smooth(blended))
        parts.append(_blend(degenerate, blended, step.blend))
    return ops.scatter_update(images, step.rows[:, None], ops.concatenate(parts))


def _look_up(images: Any, tables: Any) -> Any:
    first = ops.reshape(ops.arange(images.shape[0] * 3, dtype="int32") * 256, (-1, 1, 1, 3))
    return ops.take(ops.reshape(tables, (-1,)), ops.cast(images, "int32") + first)


def _tables(images: Any, step: Step) -> Any:
    """float32 (k, 3, 256): the value by which each value of each channel is replaced, for all kinds but the last."""
    values = ops.arange(256, dtype="float32")[None, None]
    equalized, stretched = images[step.equalized], images[step.stretched]
    tables = []
    if equalized.shape[0]:
        tables.append(_equalize(_histograms(equalized), values))
    if stretched.shape[0]:
        contrasted = _contrast(stretched, step.contrast, values)
        tables.append(ops.where(step.contrasted, contrasted, _autocontrast(stretched, values)))
    if step.tables.shape[0]:
        tables.append(step.tables)
    return ops.concatenate(tables)


def _contrast(images: Any, factors: Any, values: Any) -> Any:
    mean = ops.floor(ops.mean(_luma(images), axis=(1, 2)) + 0.5)[..., None]
    return _blend(mean, values, factors)


def _autocontrast(images: Any, values: Any) -> Any:
    low, high = ops.min(images, axis=(1, 2))[..., None], ops.max(images, axis=(1, 2))[..., None]
    stretched = _divide((values - low) * 255, ops.maximum(high - low, _constant(1.0)))
    return ops.where(high > low, _clipped(stretched), values)


def _equalize(counts: Any, values: Any) -> Any:
    """By Pillow's whole-numbered steps."""
    below = ops.cumsum(counts, axis=-1) - counts
    step = _divide(ops.max(ops.where(counts > 0, below, _constant(0.0)), axis=-1, keepdims=True), 255)
    spread = _divide(ops.floor(step / 2) + below, ops.maximum(step, _constant(1.0)))
    return ops.where(step > 0, _clipped(spread), values)


def _histograms(images: Any) -> Any:
    """float32 (m, 3, 256): how many pixels have each value.

    A value is 16 a + b: the counts are the product of a's and b's one-hot matrices, which needs no atomic addition.
    """
    channels = [ops.reshape(images[..., channel], (images.shape[0], 1, -1)) for channel in range(3)]
    values = ops.stack(channels, axis=1)
    high = ops.floor(values / 16)
    digits = ops.arange(16, dtype="float32")[:, None]
    first, second = (ops.cast(digit == digits, "float32") for digit in (high, values - 16 * high))
    return ops.reshape(ops.matmul(first, ops.transpose(second, (0, 1, 3, 2))), (-1, 3, 256))


def _luma(images: Any) -> Any:
    """(batch, height, width, 1): ITU-R 601-2 in 65,536ths as in Pillow; float32 holds every sum exactly."""
    red, green, blue = (images[..., channel : channel + 1] for channel in range(3))
    return ops.floor((19595 * red + 38470 * green + 7471 * blue + 32768) / 65536)


def _smooth(images: Any) -> Any:
    """The 3 x 3 kernel (1 1 1, 1 5 1, 1 1 1) / 13, rounded to whole numbers; the border stays."""
    inner = images[:, 1:-1, 1:-1]
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    total = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * inner
    return images + ops.pad(_divide(2 * total + 13, 26) - inner, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _blend(degenerate: Any, images: Any, factors: Any) -> Any:
    """From the degenerate image at factor 0 through the image at 1 and beyond, the fraction dropped."""
    return ops.floor(_clipped(degenerate + factors * (images - degenerate)))


def _divide(dividend: Any, divisor: Any) -> Any:
    """Whole numbers divided, the fraction dropped; the half keeps a rounded quotient off the next whole number."""
    return ops.floor((dividend + 0.5) / divisor)
