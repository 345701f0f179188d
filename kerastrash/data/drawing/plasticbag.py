"""Drawn plastic bags and film: carrier and garbage bags, packets, wrappers."""

import numpy as np

from kerastrash.data.drawing.shapes import (
    ANGLE,
    RADIUS,
    SIDE,
    Canvas,
    Rng,
    X,
    Y,
    blob,
    creases,
    ellipse,
    noise,
    pale,
    polygon,
    print_mark,
    round_light,
    stripe,
    turned,
    vivid,
    wrinkles,
)


def carrier_bag(rng: Rng) -> Canvas:
    canvas = Canvas()
    waist, low = rng.uniform(0.4, 0.55), rng.uniform(0.55, 0.75)
    body = polygon([(-waist, -0.35), (waist, -0.35), (low, 0.6), (low - 0.15, 0.88), (0.15 - low, 0.88), (-low, 0.6)])
    for x in (-0.3, 0.3):
        loop = ellipse((x, -0.45), 0.2, 0.47) & ~ellipse((x, -0.48), 0.1, 0.33)
        body |= loop & (Y < -0.3)
    colour = pale(rng) if rng.random() < 0.6 else vivid(rng)
    canvas.paint(body, colour, rng.uniform(0.6, 0.88))
    if rng.random() < 0.5:
        print_mark(canvas, body & (Y > -0.3), rng)
    fan = np.sin(ANGLE * 26 + 7 * noise(rng, (SIDE, SIDE), 40)) * np.clip(1 - RADIUS, 0, 1)
    canvas.shade(0.9 + 0.1 * creases(rng, 9, 7) + 0.1 * fan)
    canvas.gleam(0.75 * wrinkles(rng, 22, 0.022))
    canvas.warp(rng, 0.3, 50)
    return canvas


def film(rng: Rng) -> Canvas:
    canvas = Canvas()
    sheet = blob(rng, rng.uniform(0.4, 0.65), 16)
    canvas.paint(sheet, (0.9, 0.93, 0.95), rng.uniform(0.28, 0.48))
    canvas.shade(0.92 + 0.12 * creases(rng, 8, 8))
    canvas.gleam(0.85 * wrinkles(rng, 36, 0.02))
    canvas.warp(rng, 0.35, 40)
    return canvas


def garbage_bag(rng: Rng) -> Canvas:
    canvas = Canvas()
    profile = [(-0.88, 0.3), (-0.66, 0.08), (-0.5, 0.3), (-0.1, 0.7), (0.45, 0.78), (0.75, 0.6), (0.88, 0.35)]
    body, across, _ = turned(profile, 0.0)
    dark = [(0.07, 0.07, 0.08), (0.08, 0.12, 0.22), (0.1, 0.2, 0.12), (0.75, 0.77, 0.78), (0.3, 0.45, 0.7)]
    canvas.paint(body, dark[rng.integers(len(dark))], 0.97)
    gathers = np.sin(np.arctan2(X, Y + 0.66) * 28 + 6 * noise(rng, (SIDE, SIDE), 30))
    canvas.shade(1.05 * round_light(across, -0.3) * (1 + 0.3 * gathers * stripe(Y, -0.6, 0.6)))
    canvas.shade(1 + 0.25 * creases(rng, 14, 10))
    canvas.gleam(0.55 * wrinkles(rng, 30, 0.03) + 0.2 * np.clip(gathers, 0, 1) * stripe(Y, -0.5, 0.3))
    canvas.warp(rng, 0.25, 50)
    return canvas


def crisp_packet(rng: Rng) -> Canvas:
    canvas = Canvas()
    height = rng.uniform(0.75, 0.88)
    edge = height + 0.03 * np.sign(np.sin(X * 60))
    packet = (np.abs(Y) < edge) & (np.abs(X) < 0.58 + 0.08 * np.cos(Y * 2.5))
    canvas.paint(packet, vivid(rng))
    canvas.tint(packet & (rng.uniform(-0.3, 0.3) + rng.uniform(-0.6, 0.6) * X < Y), vivid(rng))
    print_mark(canvas, packet, rng)
    seams = np.abs(Y) > height - 0.13
    canvas.shade(1 + seams * 0.35 * np.sin(Y * 95))
    canvas.shade(0.98 + 0.2 * creases(rng, 12, 9))
    canvas.gleam(0.8 * wrinkles(rng, 22, 0.03))
    canvas.warp(rng, 0.22, 50)
    return canvas


def wrapper(rng: Rng) -> Canvas:
    canvas = Canvas()
    sheet = blob(rng, rng.uniform(0.35, 0.55), 15)
    canvas.paint(sheet, vivid(rng) if rng.random() < 0.6 else pale(rng), rng.uniform(0.75, 1.0))
    canvas.tint(sheet & (np.sin(8 * X + rng.uniform(-6, 6) * Y) > 0.55), vivid(rng))
    canvas.shade(0.95 + 0.2 * creases(rng, 14, 9))
    canvas.gleam(0.85 * wrinkles(rng, 30, 0.025))
    canvas.warp(rng, 0.3, 45)
    return canvas
