"""The device form of augmentation: a whole batch on the backend's device, each image by its own draws.

What depends on the draws alone is computed on the host and sent before anything else, and constants are made on the
device: a number handed to an operation of Keras would be one more transfer, for which the host waits.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from kerastrash.augment.augmentation import Draws
from kerastrash.augment.mix import MixDraw
from kerastrash.augment.moves import drawn, moves

GREY = 128.0
Part = tuple[str, slice, Any]


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

    Raises:
        ValueError: an image that is not square is to be turned.
    """
    images = ops.convert_to_tensor(images)
    _, height, width, _ = images.shape
    places = moves(draws, height, width)
    changes = [_changes(draws, step) for step in range(draws.operations.shape[1])]
    if cutout:
        top, left, bottom, right = draws.squares(height, width, cutout).T[..., None]
        down = (np.arange(height) >= top) & (np.arange(height) < bottom)
        across = (np.arange(width) >= left) & (np.arange(width) < right)
        covered = ops.convert_to_tensor(down[:, :, None, None]) & ops.convert_to_tensor(across[:, None, :, None])
    images = ops.cast(images, "float32") if places is None else _resample(images, places)
    for rows, parts in changes:
        if parts:
            chosen = ops.take(images, rows, axis=0)
            changed = [ARITHMETIC[name](chosen[part], given) for name, part, given in parts]
            images = ops.scatter_update(images, rows[:, None], ops.concatenate(changed))
    return ops.where(covered, _constant(GREY), images) if cutout else images


def plan_batch(draws: Draws, height: int, width: int, cutout: float = 0.0) -> Callable[[Any, Any], Any]:
    """A function of a set on the device, (n, height, width, 3), and of the indices of a batch: `augment_batch`."""
    return lambda resident, rows: augment_batch(ops.take(resident, rows, axis=0), draws, cutout)


def mix_batch(images: Any, draw: MixDraw) -> Any:
    """`mix.mix_images` on the backend's device: (batch, height, width, 3), tensor or array, to a float32 tensor."""
    images = ops.cast(ops.convert_to_tensor(images), "float32")
    own = ops.convert_to_tensor(draw.weights(*images.shape[1:3]))
    return own * images + (1 - own) * ops.take(images, draw.permutation, axis=0)


def _changes(draws: Draws, step: int) -> tuple[Any, list[Part]]:
    """What a step does to values, sent to the device: the indices of k images, int32, and parts of these.

    A part is the name of an arithmetic, a slice of the k, and their strengths or tables.
    """
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in ARITHMETIC}
    for rows, operation, strengths in drawn(draws, step):
        strengths = strengths[:, None, None]
        if operation.table:
            found["table"].append((rows, operation.table(strengths).astype(np.float32)))
        elif operation.device:
            found[operation.device].append((rows, strengths[..., None].astype(np.float32)))
    all_rows, parts, start = [np.zeros(0, int)], [], 0
    for name, pairs in found.items():
        if pairs:
            rows, given = (_padded(np.concatenate(arrays)) for arrays in zip(*pairs, strict=True))
            all_rows.append(rows)
            parts.append((name, slice(start, start + len(rows)), ops.convert_to_tensor(given)))
            start += len(rows)
    return ops.convert_to_tensor(np.concatenate(all_rows).astype(np.int32)), parts


def _padded(array: np.ndarray) -> np.ndarray:
    """The last row repeated until their number is a power of two, so that a backend which compiles for every shape
    meets few of them; a repeated row is computed twice, to one end."""
    return array[np.minimum(np.arange(1 << (len(array) - 1).bit_length()), len(array) - 1)]


def _constant(value: float) -> Any:
    """float32 (1,), made on the device: `ops.full` sends its value there."""
    return ops.arange(value, value + 1, dtype="float32")


def _clipped(values: Any) -> Any:
    return ops.clip(values, _constant(0.0), _constant(255.0))


def _resample(images: Any, places: np.ndarray) -> Any:
    """Reads each pixel at its point of the image: bilinear, the border repeated by half a pixel, grey beyond.

    A pixel, the one below it and their neighbours to the right are brought together first, to be fetched at once.
    """
    batch, height, width, channels = images.shape
    last = ops.convert_to_tensor(np.float32([width - 1, height - 1])[:, None, None, None])
    entries = np.moveaxis(places, 0, -1)[..., None, None].astype(np.float32)
    entries = ops.convert_to_tensor(entries)  # what gives x and y, 0 the middle of the first pixel
    across = ops.arange(width, dtype="float32")[None, None, None, :] + 0.5
    down = ops.arange(height, dtype="float32")[None, None, :, None] + 0.5
    read_at = entries[:, 0] * across + entries[:, 1] * down + entries[:, 2]
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


def _look_up(images: Any, tables: Any) -> Any:
    """Replaces each value by its entry in float32 (k, 1 or 3, 256)."""
    count, channels, _ = tables.shape
    first = ops.reshape(ops.arange(count * channels, dtype="int32") * 256, (-1, 1, 1, channels))
    return ops.take(ops.reshape(tables, (-1,)), ops.cast(images, "int32") + first)


def _autocontrast(images: Any, _: Any) -> Any:
    low, high = ops.min(images, axis=(1, 2), keepdims=True), ops.max(images, axis=(1, 2), keepdims=True)
    stretched = _divide((images - low) * 255, ops.maximum(high - low, _constant(1.0)))
    return ops.where(high > low, _clipped(stretched), images)


def _equalize(images: Any, _: Any) -> Any:
    """Spreads the values evenly, by Pillow's whole-numbered steps.

    A value is 16 a + b: how often each occurs is the product of a's and b's one-hot matrices, which needs no atomic
    addition.
    """
    channels = [ops.reshape(images[..., channel], (images.shape[0], 1, -1)) for channel in range(3)]
    values, digits = ops.stack(channels, axis=1), ops.arange(16, dtype="float32")[:, None]
    high = ops.floor(values / 16)
    first, second = (ops.cast(digit == digits, "float32") for digit in (high, values - 16 * high))
    counts = ops.reshape(ops.matmul(first, ops.transpose(second, (0, 1, 3, 2))), (-1, 3, 256))
    below = ops.cumsum(counts, axis=-1) - counts
    step = _divide(ops.max(ops.where(counts > 0, below, _constant(0.0)), axis=-1, keepdims=True), 255)
    spread = _divide(ops.floor(step / 2) + below, ops.maximum(step, _constant(1.0)))
    return _look_up(images, ops.where(step > 0, _clipped(spread), ops.arange(256, dtype="float32")))


def _luma(images: Any) -> Any:
    """(batch, height, width, 1): ITU-R 601-2 in 65,536ths as in Pillow; float32 holds every sum exactly."""
    red, green, blue = (images[..., channel : channel + 1] for channel in range(3))
    return ops.floor((19595 * red + 38470 * green + 7471 * blue + 32768) / 65536)


def _mean(images: Any) -> Any:
    """(batch, 1, 1, 1): that of the luma, rounded."""
    return ops.floor(ops.mean(_luma(images), axis=(1, 2), keepdims=True) + 0.5)


def _smooth(images: Any) -> Any:
    """The 3 x 3 kernel (1 1 1, 1 5 1, 1 1 1) / 13, rounded to whole numbers; the border stays."""
    inner = images[:, 1:-1, 1:-1]
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    total = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * inner
    return images + ops.pad(_divide(2 * total + 13, 26) - inner, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _blend(degenerated: Callable[[Any], Any], images: Any, factors: Any) -> Any:
    """Goes from the degenerate image at factor 0 through the image at 1 and beyond, the fraction dropped."""
    degenerate = degenerated(images)
    return ops.floor(_clipped(degenerate + factors * (images - degenerate)))


def _divide(dividend: Any, divisor: Any) -> Any:
    """Whole numbers divided, the fraction dropped; the half keeps a rounded quotient off the next whole number."""
    return ops.floor((dividend + 0.5) / divisor)


ARITHMETIC = {
    "equalize": _equalize,
    "autocontrast": _autocontrast,
    "table": _look_up,
    "mean": partial(_blend, _mean),
    "luma": partial(_blend, _luma),
    "smooth": partial(_blend, _smooth),
}
"""Functions by name, of images (k, height, width, 3) and strengths, or tables for `table`: what becomes of them."""
