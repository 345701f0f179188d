"""The brushes of the drawn sample: noise, silhouettes, solids of revolution, creases, and the canvas they paint on.

An object is painted on a square canvas with x to the right and y downwards, both in [-1, 1].
A mask is (SIDE, SIDE), bool or float in [0, 1]; a colour is three floats in [0, 1], or a field (SIDE, SIDE, 3).
"""

import colorsys
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

SIDE = 160
_AXIS = np.linspace(-1, 1, SIDE, dtype=np.float32)
X, Y = np.meshgrid(_AXIS, _AXIS)
RADIUS, ANGLE = np.hypot(X, Y), np.arctan2(Y, X)

Field = np.ndarray
Rng = np.random.Generator
Colour = tuple[float, float, float]


class Canvas:
    """An object being painted: `rgb` (SIDE, SIDE, 3) and opacity `alpha` (SIDE, SIDE), float32 in [0, 1]."""

    def __init__(self) -> None:
        self.rgb = np.zeros((SIDE, SIDE, 3), np.float32)
        self.alpha = np.zeros((SIDE, SIDE), np.float32)

    def paint(self, mask: Field, colour: Colour | Field, alpha: float | Field = 1.0) -> None:
        """Covers the mask with a colour, and sets its opacity."""
        cover = mask.astype(np.float32)
        self.rgb += (np.asarray(colour, np.float32) - self.rgb) * cover[..., None]
        self.alpha += (alpha - self.alpha) * cover

    def tint(self, mask: Field, colour: Colour | Field) -> None:
        """Prints a colour on what is painted already; the opacity stays."""
        self.paint(mask, colour, self.alpha)

    def shade(self, factor: Field) -> None:
        """Multiplies the colours: under 1 darker, over 1 lighter."""
        self.rgb *= factor[..., None]

    def gleam(self, amount: Field) -> None:
        """Adds a white reflection of `amount` in [0, 1] on what is painted; clear parts turn opaque there."""
        amount = np.clip(amount, 0, 1) * (self.alpha > 0)
        self.paint(amount, (1.0, 1.0, 1.0))

    def warp(self, rng: Rng, amount: float, cell: int = 60) -> None:
        """Bends and dents everything painted so far by up to `amount` of half the side."""
        shift = [(noise(rng, (SIDE, SIDE), cell, octaves=2) - 0.5) * amount * SIDE for _ in range(2)]
        rows, columns = np.indices((SIDE, SIDE))
        rows = np.clip(rows + shift[0], 0, SIDE - 1).astype(int)
        columns = np.clip(columns + shift[1], 0, SIDE - 1).astype(int)
        self.rgb, self.alpha = self.rgb[rows, columns], self.alpha[rows, columns]

    def image(self) -> Image.Image:
        """The object as RGBA; the colours are not multiplied by the opacity."""
        pixels = np.dstack([self.rgb, self.alpha])
        return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


def noise(rng: Rng, shape: tuple[int, int], cell: float, octaves: int = 3) -> Field:
    """Value noise (height, width) float32, mean near 0.5: random grids of `cell` pixels, halved each octave, summed."""
    total = np.zeros(shape, np.float32)
    weight = 1.0
    for octave in range(octaves):
        step = max(cell / 2**octave, 1)
        grid = rng.random((int(shape[0] / step) + 2, int(shape[1] / step) + 2), np.float32)
        total += weight * np.asarray(Image.fromarray(grid).resize(shape[::-1], Image.Resampling.BICUBIC))
        weight /= 2
    return total / (2 - 2 * weight)


def polygon(points: Sequence[tuple[float, float]]) -> Field:
    """The mask of a polygon."""
    mask = Image.new("L", (SIDE, SIDE))
    scale = (SIDE - 1) / 2
    ImageDraw.Draw(mask).polygon([((x + 1) * scale, (y + 1) * scale) for x, y in points], fill=1)
    return np.asarray(mask, bool)


def blob(rng: Rng, roughness: float, corners: int = 14) -> Field:
    """The mask of a torn or crumpled thing: a polygon about the centre whose radii differ by `roughness`."""
    angles = np.sort((np.arange(corners) + rng.uniform(-0.4, 0.4, corners)) * 2 * np.pi / corners)
    radii = 0.9 * (1 - roughness * rng.random(corners))
    return polygon(list(zip(radii * np.cos(angles), radii * np.sin(angles), strict=True)))


def quad(rng: Rng, width: float, height: float, jitter: float) -> Field:
    """The mask of a sheet: a rectangle of the given half sides with each corner moved by up to `jitter`."""
    corners = np.array([(-width, -height), (width, -height), (width, height), (-width, height)])
    return polygon([tuple(point) for point in np.clip(corners + rng.uniform(-jitter, jitter, (4, 2)), -0.95, 0.95)])


def rounded(width: float, height: float, radius: float, centre: tuple[float, float] = (0.0, 0.0)) -> Field:
    """The mask of a rectangle of the given half sides with round corners."""
    across = np.maximum(np.abs(X - centre[0]) - width + radius, 0)
    along = np.maximum(np.abs(Y - centre[1]) - height + radius, 0)
    return np.hypot(across, along) <= radius


def ellipse(centre: tuple[float, float], width: float, height: float) -> Field:
    """The mask of an ellipse of the given half axes."""
    return ((X - centre[0]) / width) ** 2 + ((Y - centre[1]) / height) ** 2 <= 1


def turned(profile: Sequence[tuple[float, float]], tilt: float = 0.18) -> tuple[Field, Field, Field]:
    """A solid of revolution seen a little from above, from its (height, half width) pairs, top first.

    Returns:
        Its mask, `across` in [-1, 1] over its width, and `along`: its own height coordinate, curved as bands on it are.
    """
    heights, widths = np.array(profile, np.float32).T
    half = np.interp(_AXIS, heights, widths).astype(np.float32)[:, None]
    across = np.clip(X / half, -1, 1)
    along = Y - tilt * half * np.sqrt(1 - across**2)
    return (np.abs(X) <= half) & (along >= heights[0]) & (along <= heights[-1]), across, along


def round_light(across: Field, light: float) -> Field:
    """The matt shading of a cylinder lit from the side `light` in [-1, 1]."""
    facing = across * light + np.sqrt(1 - across**2) * np.sqrt(1 - light**2)
    return 0.5 + 0.55 * np.clip(facing, 0, 1)


def stripe(field: Field, centre: float, width: float) -> Field:
    """A soft stripe in [0, 1] where the field is near `centre`."""
    return np.exp(-(((field - centre) / width) ** 2))


def creases(rng: Rng, count: int, sharpness: float = 30.0) -> Field:
    """The light on folded facets: (SIDE, SIDE), mean 0, deviation 1; `sharpness` 30 is paper or foil, 6 is cloth."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for line, weight in _folds(rng, count):
        total += weight * np.tanh(sharpness * line)
    total -= total.mean()
    return total / max(float(total.std()), 1e-3)


def wrinkles(rng: Rng, count: int, width: float = 0.03) -> Field:
    """The bright ridges of film: (SIDE, SIDE) in [0, 1], thin lines along folds, each fading out."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for line, weight in _folds(rng, count):
        x, y = rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7)
        fading = stripe((X - x) ** 2 + (Y - y) ** 2, 0, 0.35)
        total = np.maximum(total, abs(weight) * fading * stripe(line, 0, width * rng.uniform(0.6, 1.8)))
    return np.clip(total, 0, 1)


def _folds(rng: Rng, count: int) -> Iterator[tuple[Field, float]]:
    """Signed distances from `count` random, slightly curved lines, each with a weight in [-1, 1]."""
    for _ in range(count):
        direction, offset, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-0.75, 0.75), rng.uniform(-0.35, 0.35)
        weight = rng.choice((-1.0, 1.0)) * rng.uniform(0.35, 1.0)
        cosine, sine = float(np.cos(direction)), float(np.sin(direction))
        yield X * cosine + Y * sine + bend * (Y * cosine - X * sine) ** 2 - offset, float(weight)


def vivid(rng: Rng) -> Colour:
    """A strong printed colour of any hue."""
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.55, 0.95), rng.uniform(0.45, 0.95))


def pale(rng: Rng) -> Colour:
    """White, or nearly so, of any hue."""
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.0, 0.06), rng.uniform(0.82, 0.97))


def brown(rng: Rng) -> Colour:
    """The colours of kraft paper and cardboard."""
    return colorsys.hsv_to_rgb(rng.uniform(0.06, 0.1), rng.uniform(0.3, 0.5), rng.uniform(0.55, 0.78))


def grey(rng: Rng, low: float, high: float) -> Colour:
    """A neutral grey between two levels."""
    level = rng.uniform(low, high)
    return (level, level, level * rng.uniform(0.97, 1.03))


def print_mark(canvas: Canvas, where: Field, rng: Rng) -> None:
    """A trade mark: an ellipse, a second colour and a line of lettering."""
    x, y = rng.uniform(-0.15, 0.15), rng.uniform(-0.2, 0.2)
    canvas.tint(where & ellipse((x, y), rng.uniform(0.15, 0.32), rng.uniform(0.1, 0.22)), vivid(rng))
    letters = (np.abs(Y - y) < 0.05) & (np.sin(X * rng.uniform(40, 60)) > -0.2) & (np.abs(X - x) < 0.25)
    canvas.tint(where & letters, grey(rng, 0.9, 1.0))


def text_lines(rng: Rng, lines: int) -> Field:
    """Lines of print, in words of uneven length."""
    words = np.repeat(rng.random((lines, 24)) > 0.22, -(-SIDE // lines), axis=0)[:SIDE]
    words = np.repeat(words, -(-SIDE // 24), axis=1)[:, :SIDE]
    return words & ((Y + 1) * lines / 2 % 1 < 0.45)
