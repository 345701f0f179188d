"""Drawn paper (sheets, cardboard, tissues, tubes, bags) and paper packs (cartons, juice boxes, cups, egg cartons)."""

import numpy as np

from kerastrash.data.drawing.shapes import (
    SIDE,
    Canvas,
    Colour,
    Field,
    Rng,
    X,
    Y,
    blob,
    brown,
    creases,
    ellipse,
    grey,
    noise,
    pale,
    polygon,
    print_mark,
    quad,
    round_light,
    rounded,
    stripe,
    text_lines,
    turned,
    vivid,
)


def crumpled_sheet(rng: Rng) -> Canvas:
    canvas = Canvas()
    sheet = blob(rng, rng.uniform(0.15, 0.4), 13)
    canvas.paint(sheet, pale(rng))
    if rng.random() < 0.4:
        canvas.tint(sheet & text_lines(rng, 16), grey(rng, 0.35, 0.6))
    canvas.shade(0.86 + 0.13 * creases(rng, 15))
    canvas.warp(rng, 0.22, 40)
    return canvas


def printed_page(rng: Rng) -> Canvas:
    canvas = Canvas()
    page = quad(rng, rng.uniform(0.55, 0.75), 0.85, 0.12)
    canvas.paint(page, pale(rng))
    columns = (np.abs(X) > 0.03) & (np.abs(X) < 0.5) & (np.abs(Y) < 0.72)
    canvas.tint(page & columns & text_lines(rng, int(rng.integers(14, 22))), grey(rng, 0.2, 0.5))
    if rng.random() < 0.6:
        x, y = rng.uniform(-0.25, 0.25), rng.uniform(-0.5, 0.4)
        picture = np.clip(noise(rng, (SIDE, SIDE), 20)[..., None] * np.array(vivid(rng), np.float32) * 1.7, 0, 1)
        canvas.tint(page & rounded(0.24, 0.2, 0.01, (x, y)), picture)
    canvas.shade(0.95 + 0.06 * creases(rng, 3, 50))
    canvas.warp(rng, 0.08)
    return canvas


def cardboard(rng: Rng) -> Canvas:
    canvas = Canvas()
    piece = quad(rng, 0.85, rng.uniform(0.5, 0.8), 0.25)
    canvas.paint(piece, brown(rng))
    canvas.shade(1 + 0.06 * np.sin(55 * X) + 0.15 * (noise(rng, (SIDE, SIDE), 50) - 0.5))
    torn = piece & (rng.uniform(0.2, 0.5) + 0.3 * (noise(rng, (SIDE, SIDE), 16) - 0.5) < Y)
    canvas.shade(1 + torn * (0.12 + 0.22 * np.sin(55 * X)))
    canvas.shade(1 - 0.3 * stripe(X - 0.2 * Y, rng.uniform(-0.4, 0.4), 0.02) + 0.08 * creases(rng, 3, 50))
    if rng.random() < 0.3:
        canvas.tint(piece & (text_lines(rng, 9) & rounded(0.4, 0.25, 0.01)), (0.3, 0.22, 0.15))
    canvas.warp(rng, 0.1, 30)
    return canvas


def tissue(rng: Rng) -> Canvas:
    canvas = Canvas()
    canvas.paint(blob(rng, rng.uniform(0.3, 0.5), 20), pale(rng), 0.94)
    canvas.shade(0.88 + 0.08 * creases(rng, 12, 6) + 0.2 * (noise(rng, (SIDE, SIDE), 12) - 0.5))
    canvas.warp(rng, 0.3, 50)
    return canvas


def paper_tube(rng: Rng) -> Canvas:
    canvas = Canvas()
    length, half = rng.uniform(0.5, 0.8), rng.uniform(0.34, 0.42)
    body, across, along = turned([(-length, half), (length - 0.1, half)], tilt=0.3)
    canvas.paint(body, brown(rng))
    canvas.shade(round_light(across, rng.uniform(-0.7, 0.7)) * (1 - 0.15 * (np.sin(9 * along + 6 * across) > 0.95)))
    canvas.paint(ellipse((0, -length), half, half * 0.3), brown(rng))
    canvas.tint(ellipse((0, -length), half * 0.9, half * 0.25), (0.25, 0.18, 0.12))
    canvas.warp(rng, rng.choice([0.02, 0.15]))
    return canvas


def paper_bag(rng: Rng) -> Canvas:
    canvas = Canvas()
    teeth = [(x, -0.86 + 0.05 * (i % 2)) for i, x in enumerate(np.linspace(-0.55, 0.55, 23))]
    bag = polygon([*teeth, (0.6, 0.85), (-0.6, 0.85)])
    canvas.paint(bag, brown(rng) if rng.random() < 0.7 else pale(rng))
    if rng.random() < 0.5:
        print_mark(canvas, bag, rng)
    canvas.shade(1 - 0.2 * stripe(np.abs(X), 0.42, 0.02) - 0.15 * (Y > 0.55))
    canvas.shade(0.95 + 0.11 * creases(rng, 9))
    canvas.warp(rng, 0.15)
    return canvas


def _carton(rng: Rng, width: float, top: float, depth: float, colours: tuple[Colour, Colour]) -> tuple[Canvas, Field]:
    """A box seen from a corner, its front printed in two colours; gives the canvas and the mask of the front."""
    canvas = Canvas()
    left, right, back = -width - depth / 2, width - depth / 2, width + depth / 2
    front = polygon([(left, top), (right, top), (right, 0.88), (left, 0.88)])
    side = polygon([(right, top), (back, top - depth * 0.45), (back, 0.88 - depth * 0.45), (right, 0.88)])
    canvas.paint(front | side, colours[0])
    wave = rng.uniform(-0.1, 0.4) + 0.12 * np.sin(X * rng.uniform(2, 7)) + rng.uniform(-0.4, 0.4) * X
    canvas.tint((front | side) & (wave < Y), colours[1])
    print_mark(canvas, front, rng)
    canvas.shade(1 - 0.38 * (side & ~front))
    canvas.shade(1 + 0.06 * (noise(rng, (SIDE, SIDE), 70) - 0.5))
    return canvas, front


def milk_carton(rng: Rng) -> Canvas:
    base = pale(rng)
    canvas, _ = _carton(rng, 0.34, -0.35, 0.36, (base, vivid(rng)))
    canvas.paint(polygon([(-0.52, -0.36), (0.16, -0.36), (0.2, -0.72), (-0.34, -0.72)]), vivid(rng))
    canvas.paint(polygon([(0.16, -0.36), (0.52, -0.52), (0.2, -0.72)]), tuple(0.6 * level for level in base))
    canvas.paint(polygon([(-0.34, -0.7), (0.2, -0.7), (0.2, -0.88), (-0.34, -0.88)]), base)
    if rng.random() < 0.4:
        canvas.paint(ellipse((-0.15, -0.54), 0.11, 0.09), grey(rng, 0.9, 1.0))
    canvas.warp(rng, rng.choice([0.02, 0.14]))
    return canvas


def juice_box(rng: Rng) -> Canvas:
    width, top, depth = rng.uniform(0.28, 0.42), rng.uniform(-0.6, -0.4), rng.uniform(0.26, 0.4)
    first = vivid(rng) if rng.random() < 0.5 else pale(rng)
    canvas, _ = _carton(rng, width, top, depth, (first, vivid(rng)))
    left, right, rise = -width - depth / 2, width - depth / 2, depth * 0.45
    lid = [(left, top), (right, top), (right + depth, top - rise), (left + depth, top - rise)]
    canvas.paint(polygon(lid), tuple(min(1.0, 1.15 * level + 0.05) for level in first))
    if rng.random() < 0.6:
        straw = [(0.06, top - rise / 2), (0.1, top - rise / 2), (0.24, -0.92), (0.19, -0.93)]
        canvas.paint(polygon(straw), pale(rng))
    canvas.warp(rng, rng.choice([0.02, 0.12]))
    return canvas


def paper_cup(rng: Rng) -> Canvas:
    canvas = Canvas()
    wide, narrow = rng.uniform(0.5, 0.6), rng.uniform(0.34, 0.42)
    body, across, along = turned([(-0.7, wide), (0.72, narrow)])
    canvas.paint(body, pale(rng) if rng.random() < 0.6 else vivid(rng))
    if rng.random() < 0.6:
        canvas.tint(body & (along > -0.35) & (along < 0.35), brown(rng))
    print_mark(canvas, body, rng)
    canvas.shade(round_light(across, rng.uniform(-0.7, 0.7)))
    canvas.paint(ellipse((0, -0.7), wide + 0.03, 0.13), (0.96, 0.95, 0.93))
    coffee = (0.3, 0.2, 0.13) if rng.random() < 0.5 else (0.72, 0.7, 0.67)
    canvas.tint(ellipse((0, -0.695), wide - 0.03, 0.095), coffee)
    canvas.warp(rng, rng.choice([0.02, 0.14]))
    return canvas


def egg_carton(rng: Rng) -> Canvas:
    canvas = Canvas()
    canvas.paint(rounded(0.9, 0.62, 0.1), brown(rng) if rng.random() < 0.4 else grey(rng, 0.55, 0.7))
    across, along = (X + 0.9) / 0.45 % 1 - 0.5, (Y + 0.62) / 0.62 % 1 - 0.5
    cups = np.clip(1.5 - 4 * np.hypot(across, along), 0, 1)
    canvas.shade(1 - 0.5 * cups + 0.5 * cups * stripe(across + along, 0.35, 0.2))
    canvas.shade(1 + 0.25 * stripe(np.hypot(across, along), 0.42, 0.05))
    canvas.shade(1 + 0.35 * (noise(rng, (SIDE, SIDE), 5, 2) - 0.5))
    canvas.warp(rng, 0.1)
    return canvas
