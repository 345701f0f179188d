"""Augmentation of a batch by three Triton kernels: what `augment.device.augment_batch` computes, in uint8 throughout.

A program takes a tile of one image, whatever the other images draw. The first kernel gathers and resamples; then, for
each step, one kernel makes the tables that replace values, and one applies them or blends. A step that needs to know
the whole image (AutoContrast, Equalize, Contrast) finds the histograms that the kernel before has counted. What the
host knows is one record an image, all records in one buffer, sent at once.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import triton

from kerastrash.augment.augmentation import Draws
from kerastrash.augment.moves import drawn, moves
from kerastrash.backends.torch.augmentation_kernels import (
    AUTOCONTRAST,
    EQUALIZE,
    LUMA,
    MEAN,
    SMOOTH,
    change,
    resample,
    tabulate,
)

KINDS = {"luma": LUMA, "smooth": SMOOTH, "autocontrast": AUTOCONTRAST, "equalize": EQUALIZE, "mean": MEAN}
BLOCK, WARPS = 1024, 32
"""Pixels of a tile, and the warps that compute it."""


def plan_batch(
    draws: Draws,
    height: int,
    width: int,
    cutout: float = 0.0,
    dtype: torch.dtype = torch.uint8,
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """What the host does to augment a batch: in any thread, and before the device has come so far.

    Args:
        draws: one row an image.
        cutout: side of Cutout's square as a share of the longer side.
        dtype: of the result; uint8 holds whole values, a floating type `scale * value + offset`.
        scale, offset: one number, or one a channel.

    Returns:
        A function of a set on the device, uint8 (n, height, width, 3), and the indices of the batch in it, int32
        (batch,), also there. It gives (batch, height, width, 3), contiguous, and waits for nothing.

    Raises:
        ValueError: an image that is not square is to be turned.
    """
    steps = draws.operations.shape[1]
    head = [("matrix", "f4", (2, 3)), ("square", "i4", 4), ("scale", "f4", 3), ("offset", "f4", 3)]
    layout = np.dtype([*head, ("kind", "i4", (steps,)), ("strength", "f4", (steps,)), ("table", "u1", (steps, 256))])
    records = np.zeros(len(draws), layout)  # of which kind `TABLE` is 0
    found = moves(draws, height, width)
    records["matrix"] = [[1, 0, -0.5], [0, 1, -0.5]] if found is None else found
    records["square"] = draws.squares(height, width, cutout)
    records["scale"], records["offset"] = scale, offset
    records["table"] = np.arange(256)
    for step in range(steps):
        for rows, operation, strengths in drawn(draws, step):
            if operation.table:
                records["table"][rows, step] = operation.table(strengths[:, None])
            elif operation.device:
                records["kind"][rows, step] = KINDS[operation.device].value
                records["strength"][rows, step] = strengths
    return partial(_augment, records.view(np.uint8), steps, dtype)


def _augment(
    records: np.ndarray, steps: int, dtype: torch.dtype, resident: torch.Tensor, rows: torch.Tensor
) -> torch.Tensor:
    """Tells the device: 2 + 2 * steps kernels, the first of which fills the histograms with zeros."""
    count, height, width = len(rows), *resident.shape[1:3]
    on_device = {"device": resident.device}
    packed = torch.from_numpy(records)
    if resident.is_cuda:  # not in the thread that plans: none may ask CUDA for memory while a graph is recorded
        packed = packed.pin_memory()
    packed = packed.to(resident.device, non_blocking=True)
    words = packed.view(torch.int32)
    counts = torch.zeros((max(1, steps), count, 4, 256), dtype=torch.int32, **on_device)
    tiles = (count, triton.cdiv(height * width, BLOCK))

    def launch(kernel: triton.KernelInterface, done: int, *given: torch.Tensor) -> torch.Tensor:
        last = done == steps
        out = torch.empty((count, height, width, 3), dtype=dtype if last else torch.uint8, **on_device)
        settings = {"BLOCK": BLOCK, "LAST": last, "WHOLE": not (last and dtype.is_floating_point)}
        # multiplication and addition stay two roundings, as in Pillow
        settings |= {"num_warps": WARPS, "enable_fp_fusion": False}
        counted = counts[done % len(counts)]  # the last launch counts nothing
        kernel[tiles](*given, words, out, counted, height, width, done, steps, **settings)
        return out

    images = launch(resample, 0, resident, rows)
    for step in range(steps):
        tables = torch.empty((count, 3, 256), dtype=torch.uint8, **on_device)
        given = (words, packed, counts[step], tables, height * width, step, steps)
        tabulate[count, 3](*given, enable_fp_fusion=False)
        images = launch(change, step + 1, images, tables)
    return images
