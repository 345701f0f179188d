"""Drawn plastic: bottles, cups, lids, tubs, cutlery."""

import numpy as np

from kerastrash.data.drawing.shapes import (
    ANGLE,
    RADIUS,
    SIDE,
    Canvas,
    Rng,
    X,
    Y,
    ellipse,
    pale,
    print_mark,
    round_light,
    rounded,
    stripe,
    turned,
    vivid,
    wrinkles,
)


def bottle(rng: Rng) -> Canvas:
    canvas = Canvas()
    half, shoulder = rng.uniform(0.26, 0.36), rng.uniform(-0.45, -0.25)
    profile = [(-0.9, 0.12), (-0.6, 0.13), (shoulder, half), (0.1, half * 0.9), (0.25, half), (0.8, half), (0.88, 0.2)]
    body, across, along = turned(profile, 0.1)
    tint = [(0.82, 0.9, 0.95), (0.7, 0.86, 0.96), (0.6, 0.8, 0.62), (0.93, 0.94, 0.94)][rng.integers(4)]
    canvas.paint(body, tint, np.clip(0.32 + 0.5 * np.abs(across) ** 3, 0, 1))
    canvas.shade(1 - 0.22 * np.abs(across) ** 4 + 0.12 * np.sin(along * 38) * (along > 0.3))
    if rng.random() < 0.7:
        label = body & (along > shoulder + 0.15) & (along < shoulder + rng.uniform(0.4, 0.6))
        canvas.paint(label, vivid(rng), 0.97)
        print_mark(canvas, label, rng)
        canvas.shade(1 + label * (round_light(across, 0.2) - 1))
    canvas.gleam(0.75 * stripe(across, -0.55, 0.1) + 0.45 * stripe(across, 0.6, 0.07) + 0.5 * wrinkles(rng, 5))
    if rng.random() < 0.8:
        cap = rounded(0.145, 0.085, 0.03, (0, -0.84))
        canvas.paint(cap, vivid(rng) if rng.random() < 0.8 else pale(rng))
        canvas.shade(1 + 0.25 * np.sin(X * 90) * cap)
    canvas.warp(rng, rng.choice([0.02, 0.12, 0.22]))
    return canvas


def detergent(rng: Rng) -> Canvas:
    canvas = Canvas()
    half = rng.uniform(0.4, 0.52)
    profile = [(-0.86, 0.15), (-0.62, 0.16), (-0.58, 0.22), (-0.3, half), (0.78, half), (0.86, half - 0.08)]
    body, across, along = turned(profile, 0.08)
    canvas.paint(body, vivid(rng) if rng.random() < 0.75 else pale(rng))
    label = body & (np.abs(along - 0.22) < 0.3) & (np.abs(across) < 0.75)
    canvas.tint(label, pale(rng))
    print_mark(canvas, label, rng)
    canvas.shade(round_light(across, rng.uniform(-0.5, 0.5)))
    canvas.paint(body & (along < -0.62), vivid(rng))
    canvas.gleam(0.85 * stripe(across, rng.uniform(-0.6, -0.3), 0.08) * (along < 0.7))
    canvas.warp(rng, rng.choice([0.02, 0.1]))
    return canvas


def plastic_cup(rng: Rng) -> Canvas:
    canvas = Canvas()
    wide, narrow = rng.uniform(0.46, 0.6), rng.uniform(0.3, 0.4)
    body, across, along = turned([(-0.72, wide), (0.76, narrow)])
    clear = rng.random() < 0.65
    canvas.paint(body, (0.9, 0.94, 0.96) if clear else vivid(rng), 0.36 + 0.4 * across**4 if clear else 1.0)
    ribs = np.sin(along * 50) * (np.abs(along - 0.1) < rng.uniform(0.15, 0.5))
    canvas.shade((0.95 if clear else round_light(across, 0.3)) * (1 + 0.16 * ribs))
    rim = ellipse((0, -0.72), wide + 0.02, 0.12)
    hole = ellipse((0, -0.715), wide - 0.04, 0.09)
    canvas.paint(rim & ~hole, (0.97, 0.98, 1.0), 0.95)
    canvas.paint(hole, tuple(0.75 * c for c in canvas.rgb[SIDE // 2, SIDE // 2]), 0.5 if clear else 1.0)
    canvas.gleam(0.8 * stripe(across, -0.5, 0.09) + 0.5 * stripe(across, 0.65, 0.06) + 0.4 * wrinkles(rng, 4))
    canvas.warp(rng, rng.choice([0.02, 0.16]))
    return canvas


def plastic_lid(rng: Rng) -> Canvas:
    canvas = Canvas()
    disc = RADIUS < 0.88
    canvas.paint(disc, vivid(rng) if rng.random() < 0.6 else pale(rng), rng.choice([1.0, 0.6]))
    canvas.shade(1 - 0.3 * stripe(RADIUS, 0.74, 0.025) - 0.2 * stripe(RADIUS, rng.uniform(0.3, 0.55), 0.02))
    canvas.shade(1 + 0.12 * np.cos(60 * ANGLE) * (RADIUS > 0.78))
    if rng.random() < 0.5:
        canvas.tint((np.minimum(np.abs(X), np.abs(Y)) < 0.025) & (RADIUS < 0.17), (0.15, 0.15, 0.15))
    turn = rng.uniform(-3, 3)
    canvas.gleam(0.9 * stripe(RADIUS, 0.67, 0.045) * stripe(np.cos(ANGLE - turn), 1, 0.3))
    canvas.gleam(0.6 * stripe(np.hypot(X + 0.3, Y + 0.3), 0, 0.2))
    return canvas


def plastic_tub(rng: Rng) -> Canvas:
    canvas = Canvas()
    width, height = 0.88, rng.uniform(0.5, 0.85)
    black = rng.random() < 0.3
    colour = (0.1, 0.1, 0.11) if black else (0.88, 0.92, 0.95) if rng.random() < 0.6 else vivid(rng)
    alpha = 1.0 if black else rng.uniform(0.45, 0.8)
    canvas.paint(rounded(width, height, 0.22), colour, alpha)
    inner = rounded(width - 0.12, height - 0.12, 0.16)
    canvas.shade(1 - 0.3 * inner + 0.22 * rounded(width - 0.26, height - 0.26, 0.12))
    rim = rounded(width - 0.03, height - 0.03, 0.2) & ~rounded(width - 0.08, height - 0.08, 0.18)
    canvas.gleam(rim * (0.25 + 0.5 * stripe(X - Y, rng.uniform(-0.8, 0.8), 0.35)))
    canvas.gleam(0.7 * inner * stripe(X + 0.5 * Y, rng.uniform(-0.4, 0.4), 0.09))
    canvas.warp(rng, 0.05)
    return canvas


def cutlery(rng: Rng) -> Canvas:
    canvas = Canvas()
    piece = rounded(0.06, 0.5, 0.05, (0, 0.4)) | ellipse((0, -0.5), 0.2, 0.36)
    if rng.random() < 0.6:
        piece &= (Y > -0.5) | (np.abs(np.sin(X * 23 + np.pi / 2)) > 0.45)
    canvas.paint(piece, [(0.95, 0.95, 0.94), (0.12, 0.12, 0.12), vivid(rng)][rng.integers(3)])
    canvas.shade(0.9 + 0.25 * np.cos(X * 9 - 0.6))
    canvas.gleam(0.7 * stripe(X, -0.02, 0.02))
    canvas.warp(rng, 0.1)
    return canvas
