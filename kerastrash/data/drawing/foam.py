"""Drawn styrofoam: fragments, blocks, trays and cups of expanded beads."""

import numpy as np

from kerastrash.data.drawing.shapes import (
    SIDE,
    Canvas,
    Rng,
    X,
    Y,
    blob,
    ellipse,
    grey,
    noise,
    polygon,
    round_light,
    rounded,
    stripe,
    turned,
)


def _beads(canvas: Canvas, rng: Rng, size: float = 7) -> None:
    """The grain of expanded foam: round light beads, dark where they meet."""
    grain = noise(rng, (SIDE, SIDE), size, octaves=1) - 0.5
    canvas.shade(1 + 0.28 * np.clip(grain, -0.35, 0.15))


def foam_fragment(rng: Rng) -> Canvas:
    canvas = Canvas()
    top = blob(rng, rng.uniform(0.15, 0.4), 11)
    thickness = int(rng.integers(8, 22))
    for shift in range(thickness, 0, -3):
        canvas.paint(np.roll(top, shift, axis=0) & (Y < 0.96), grey(rng, 0.68, 0.74))
    canvas.paint(np.roll(top, -4, axis=0), grey(rng, 0.93, 0.98))
    _beads(canvas, rng, rng.uniform(7, 11))
    canvas.warp(rng, 0.08, 9)
    return canvas


def foam_block(rng: Rng) -> Canvas:
    canvas = Canvas()
    width, top, depth = rng.uniform(0.4, 0.62), rng.uniform(-0.4, 0.2), rng.uniform(0.3, 0.5)
    left, right, rise = -width - depth / 2, width - depth / 2, depth * 0.7
    canvas.paint(polygon([(left, top), (right, top), (right, 0.85), (left, 0.85)]), grey(rng, 0.82, 0.88))
    lid = [(left, top), (right, top), (right + depth, top - rise), (left + depth, top - rise)]
    canvas.paint(polygon(lid), grey(rng, 0.95, 1.0))
    side = [(right, top), (right + depth, top - rise), (right + depth, 0.85 - rise), (right, 0.85)]
    canvas.paint(polygon(side), grey(rng, 0.64, 0.72))
    _beads(canvas, rng, rng.uniform(6, 10))
    canvas.warp(rng, 0.04, 9)
    return canvas


def foam_tray(rng: Rng) -> Canvas:
    canvas = Canvas()
    width, height = 0.88, rng.uniform(0.55, 0.85)
    canvas.paint(rounded(width, height, 0.2), grey(rng, 0.93, 0.98))
    floor = rounded(width - 0.2, height - 0.2, 0.14)
    canvas.shade(1 - 0.22 * rounded(width - 0.1, height - 0.1, 0.17) + 0.16 * floor)
    if rng.random() < 0.5:
        canvas.shade(1 - 0.18 * stripe(X, 0, 0.03) * rounded(width - 0.1, height - 0.1, 0.17))
    _beads(canvas, rng, 5)
    canvas.warp(rng, rng.choice([0.03, 0.1]), 20)
    return canvas


def foam_cup(rng: Rng) -> Canvas:
    canvas = Canvas()
    wide, narrow = rng.uniform(0.5, 0.62), rng.uniform(0.36, 0.45)
    body, across, _ = turned([(-0.68, wide), (0.74, narrow)])
    canvas.paint(body, grey(rng, 0.95, 1.0))
    canvas.shade(round_light(across, rng.uniform(-0.6, 0.6)))
    canvas.paint(ellipse((0, -0.68), wide + 0.02, 0.14), (0.98, 0.98, 0.97))
    canvas.tint(ellipse((0, -0.675), wide - 0.07, 0.09), (0.72, 0.72, 0.71))
    _beads(canvas, rng, 6)
    canvas.warp(rng, 0.03, 12)
    return canvas
