"""Drawn metal: cans, foil, caps and trays."""

import numpy as np

from kerastrash.data.drawing.shapes import (
    ANGLE,
    RADIUS,
    Canvas,
    Field,
    Rng,
    X,
    Y,
    blob,
    creases,
    ellipse,
    grey,
    print_mark,
    rounded,
    stripe,
    turned,
    vivid,
    wrinkles,
)


def _metal_light(across: Field, rng: Rng) -> Field:
    """The hard, streaky reflections of a metal cylinder."""
    centre = rng.uniform(-0.6, 0.1)
    streaks = 0.5 + 0.75 * stripe(across, centre, 0.22) + 0.35 * stripe(across, centre + 0.85, 0.12)
    return streaks - 0.3 * stripe(across, centre + 0.45, 0.15)


def drink_can(rng: Rng) -> Canvas:
    canvas = Canvas()
    length = rng.uniform(0.62, 0.85)
    body, across, along = turned([(-length, 0.38), (-length + 0.1, 0.46), (length - 0.14, 0.46), (length - 0.02, 0.36)])
    canvas.paint(body, vivid(rng))
    band = rng.uniform(-0.4, 0.3)
    canvas.tint(body & (np.abs(along - band + 0.3 * X * rng.choice([-1, 0, 1])) < rng.uniform(0.08, 0.22)), vivid(rng))
    print_mark(canvas, body, rng)
    canvas.tint(body & (np.abs(along + 0.02) > length - 0.14), (0.8, 0.81, 0.83))
    canvas.shade(_metal_light(across, rng) * 1.05)
    lid = ellipse((0, -length), 0.38, 0.11)
    canvas.paint(lid, (0.78, 0.79, 0.82))
    canvas.tint(lid & ~ellipse((0, -length), 0.33, 0.085), (0.95, 0.95, 0.97))
    canvas.tint(ellipse((0.08, -length), 0.13, 0.045), (0.2, 0.2, 0.22))
    canvas.shade(1 + 0.12 * creases(rng, 6) * (rng.random() < 0.6))
    canvas.warp(rng, rng.choice([0.02, 0.16, 0.26]))
    return canvas


def food_can(rng: Rng) -> Canvas:
    canvas = Canvas()
    length, half = rng.uniform(0.42, 0.66), rng.uniform(0.5, 0.62)
    body, across, along = turned([(-length, half), (length, half)], tilt=0.3)
    canvas.paint(body, grey(rng, 0.66, 0.85))
    canvas.shade(1 + 0.22 * np.sin(along * 45) * (np.abs(along) < length * 0.6))
    if rng.random() < 0.4:
        canvas.tint(body & (np.abs(along) < length * 0.75), vivid(rng))
        print_mark(canvas, body, rng)
    canvas.shade(_metal_light(across, rng) * 1.15)
    opening = ellipse((0, -length), half, half * 0.3)
    canvas.paint(opening, (0.9, 0.9, 0.92))
    inside = ellipse((0, -length), half * 0.92, half * 0.25)
    canvas.tint(inside, np.clip(0.42 + 0.5 * stripe(X, 0.25, 0.15), 0, 1)[..., None] * np.ones(3, np.float32))
    canvas.warp(rng, rng.choice([0.01, 0.08]))
    return canvas


def foil(rng: Rng) -> Canvas:
    canvas = Canvas()
    canvas.paint(blob(rng, rng.uniform(0.25, 0.55), 18), grey(rng, 0.6, 0.75))
    facets = creases(rng, 26, 40)
    canvas.shade(1 + 0.36 * facets)
    canvas.gleam(0.9 * np.clip(facets - 0.9, 0, 1) + 0.7 * wrinkles(rng, 14, 0.02))
    canvas.warp(rng, 0.15, 30)
    return canvas


def bottle_cap(rng: Rng) -> Canvas:
    canvas = Canvas()
    edge = 0.84 + 0.05 * np.cos(21 * ANGLE)
    canvas.paint(edge >= RADIUS, grey(rng, 0.6, 0.8))
    if rng.random() < 0.6:
        canvas.tint(RADIUS < 0.68, vivid(rng))
        print_mark(canvas, RADIUS < 0.6, rng)
    turn = rng.uniform(0, np.pi)
    canvas.shade(0.85 + 0.4 * np.cos(2 * (ANGLE - turn)) ** 3 + 0.15 * np.cos(21 * ANGLE) * (RADIUS > 0.7))
    canvas.shade(1 - 0.35 * stripe(RADIUS, 0.7, 0.03) + 0.3 * stripe(RADIUS, 0.64, 0.03))
    canvas.gleam(0.8 * stripe(RADIUS, 0.66, 0.05) * stripe(ANGLE, turn - np.pi / 2, 0.5))
    return canvas


def foil_tray(rng: Rng) -> Canvas:
    canvas = Canvas()
    width, height = 0.88, rng.uniform(0.55, 0.85)
    canvas.paint(rounded(width, height, 0.2), (0.86, 0.87, 0.89))
    inner = rounded(width - 0.13, height - 0.13, 0.15)
    canvas.tint(inner, grey(rng, 0.55, 0.68))
    floor = rounded(width - 0.24, height - 0.24, 0.12)
    canvas.tint(floor, grey(rng, 0.7, 0.8))
    canvas.shade(1 + 0.18 * np.sin(60 * (X + Y)) * (inner & ~floor))
    canvas.shade(1 + 0.2 * creases(rng, 9, 25))
    canvas.gleam(0.8 * wrinkles(rng, 8, 0.03) + 0.6 * stripe(X + 0.6 * Y, rng.uniform(-0.4, 0.4), 0.1) * floor)
    canvas.warp(rng, 0.08)
    return canvas
