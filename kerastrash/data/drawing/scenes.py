"""A drawn scene: objects, shadows, leaves and sticks on a textured ground, under a light, through a camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from kerastrash.data.drawing import KINDS
from kerastrash.data.drawing.shapes import Field, Rng, noise

SIZES = ((480, 360), (360, 480), (400, 400))
OPAQUE = 0.15  # a pixel belongs to an object from this opacity on
SHOWN = 0.4  # the least share of an object that later ones leave visible
Pixels = tuple[slice, slice]


@dataclass(frozen=True)
class Drawn:
    """One object of a scene: its class name, the box of what is visible (x, y, width, height), visible pixels."""

    name: str
    box: tuple[int, int, int, int]
    area: int


def draw_scene(rng: Rng, names: Sequence[str]) -> tuple[Image.Image, list[Drawn]]:
    """Draws one object for each class name; a scene in which one is hidden for the most part is drawn again.

    Returns:
        The picture, and its objects in the order of the names.
    """
    while True:
        ground, owner, painted = _lay_out(rng, names)
        masks = [owner == number for number in range(1, len(names) + 1)]
        if all(mask.sum() >= SHOWN * area for mask, area in zip(masks, painted, strict=True)):
            return _camera(rng, ground), [_visible(name, mask) for name, mask in zip(names, masks, strict=True)]


def _lay_out(rng: Rng, names: Sequence[str]) -> tuple[Field, Field, list[int]]:
    """The lit scene, the number of the object seen in each pixel (0: none), and how many pixels each object painted."""
    width, height = SIZES[rng.integers(len(SIZES))]
    ground = GROUNDS[rng.integers(len(GROUNDS))](rng, (height, width)).astype(np.float32)
    owner = np.zeros((height, width), np.uint8)
    painted = []
    sun = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(0, 5)):
        _paste(ground, _litterfall(rng), _anywhere(rng, ground.shape), sun, 0.02)
    for number, name in enumerate(names, start=1):
        sprite = _sprite(rng, name)
        window, cover = _paste(ground, sprite, _place(rng, owner, sprite.size), sun, rng.uniform(0.03, 0.12))
        owner[window][cover > OPAQUE] = number
        painted.append(max(int((cover > OPAQUE).sum()), 1))
    for _ in range(rng.integers(0, 5)):
        window, cover = _paste(ground, _litterfall(rng), _anywhere(rng, ground.shape), sun, 0.03)
        owner[window][cover > OPAQUE] = 0
    return ground, owner, painted


def _visible(name: str, mask: Field) -> Drawn:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
    return Drawn(name, tuple(int(value) for value in box), int(mask.sum()))


# Objects on the ground


def _sprite(rng: Rng, name: str) -> Image.Image:
    """An object of the class: foreshortened, scaled, turned, cut to what it covers; RGBA."""
    kinds = KINDS[name]
    picture = kinds[rng.integers(len(kinds))](rng).image()
    size = float(np.clip(rng.lognormal(np.log(105), 0.35), 48, 210))
    squeeze = rng.uniform(0.78, 1.0)
    picture = picture.resize((round(size), round(size * squeeze)), Image.Resampling.BOX)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    angle = rng.normal(0, 20) if rng.random() < 0.6 else rng.uniform(0, 360)
    picture = picture.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    return picture.crop(picture.getchannel("A").getbbox())


def _litterfall(rng: Rng) -> Image.Image:
    """A leaf, a stick or a pebble, RGBA."""
    length, kind = int(rng.integers(18, 60)), rng.integers(3)
    thickness = (0.45, 0.07, 0.7)[kind]
    colour = ((120, 95, 40), (95, 75, 55), (130, 128, 124))[kind] + rng.integers(-35, 36, 3)
    picture = Image.new("RGBA", (length, max(int(length * thickness), 3)))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((0, 0, picture.width - 1, picture.height - 1), fill=(*(int(c) for c in np.clip(colour, 0, 255)), 255))
    if kind == 0:
        middle = picture.height // 2
        pen.line((0, middle, length, middle), fill=(*(int(c) for c in np.clip(colour - 35, 0, 255)), 255))
    return picture.rotate(rng.uniform(0, 360), Image.Resampling.BILINEAR, expand=True)


def _anywhere(rng: Rng, shape: tuple[int, ...]) -> tuple[int, int]:
    return int(rng.integers(-10, shape[0] - 10)), int(rng.integers(-10, shape[1] - 10))


def _place(rng: Rng, owner: Field, size: tuple[int, int]) -> tuple[int, int]:
    """The top left corner (row, column), of four tried, where the object covers least of those before it."""
    width, height = size
    rows = rng.integers(-height // 12, max(owner.shape[0] - height * 11 // 12, 1), 4)
    columns = rng.integers(-width // 12, max(owner.shape[1] - width * 11 // 12, 1), 4)
    taken = [
        np.count_nonzero(owner[max(r, 0) : r + height, max(c, 0) : c + width])
        for r, c in zip(rows, columns, strict=True)
    ]
    best = int(np.argmin(taken))
    return int(rows[best]), int(columns[best])


def _paste(
    ground: Field, sprite: Image.Image, corner: tuple[int, int], sun: float, lift: float
) -> tuple[Pixels, Field]:
    """Lays an RGBA object on the ground with its shadow; gives its window there and its opacity in it."""
    reach = max(3, round(lift * max(sprite.size)))
    shadow = Image.new("L", (sprite.width + 4 * reach, sprite.height + 4 * reach))
    shadow.paste(sprite.getchannel("A"), (2 * reach, 2 * reach))
    shadow = shadow.filter(ImageFilter.BoxBlur(reach))
    offset = (corner[0] - 2 * reach + round(reach * np.sin(sun)), corner[1] - 2 * reach + round(reach * np.cos(sun)))
    window, part = _clip(ground.shape, offset, shadow.size)
    ground[window] *= 1 - np.asarray(shadow, np.float32)[part][..., None] * (0.5 / 255)
    window, part = _clip(ground.shape, corner, sprite.size)
    pixels = np.asarray(sprite, np.float32)[part] / 255
    ground[window] += (pixels[..., :3] - ground[window]) * pixels[..., 3:]
    return window, pixels[..., 3]


def _clip(shape: tuple[int, ...], corner: tuple[int, int], size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """The part of a picture that lies on the ground: its pixels there, and its pixels in the picture."""
    spans = []
    for start, extent, limit in zip(corner, size[::-1], shape, strict=False):
        low, high = min(max(start, 0), limit), min(max(start + extent, 0), limit)
        spans.append((slice(low, high), slice(low - start, high - start)))
    return (spans[0][0], spans[1][0]), (spans[0][1], spans[1][1])


# Grounds: float32 (height, width, 3) in [0, 1]


def _coloured(level: Field, colour: Sequence[float]) -> Field:
    return level[..., None] * np.asarray(colour, np.float32)


def asphalt(rng: Rng, shape: tuple[int, int]) -> Field:
    grain = noise(rng, shape, 2, 1) - 0.5
    level = rng.uniform(0.28, 0.5) * (1 + 0.9 * grain + 0.5 * (noise(rng, shape, 120) - 0.5))
    return _coloured(level, (1.0, 1.0, 1.03))


def sand(rng: Rng, shape: tuple[int, int]) -> Field:
    ripples = np.sin(noise(rng, shape, 160) * 40)
    level = rng.uniform(0.6, 0.8) * (1 + 0.05 * ripples + 0.35 * (noise(rng, shape, 3, 1) - 0.5))
    return _coloured(level, (1.0, 0.88, 0.68))


def grass(rng: Rng, shape: tuple[int, int]) -> Field:
    blades = noise(rng, (shape[0] // 3, shape[1]), 4, 2)
    blades = np.repeat(blades, -(-shape[0] // blades.shape[0]), axis=0)[: shape[0]]
    level = rng.uniform(0.4, 0.6) * (0.35 + 1.3 * blades)
    dry = noise(rng, shape, 90)[..., None]
    return level[..., None] * (np.array((0.62, 0.9, 0.4), np.float32) * (1 - dry) + np.array((1.0, 0.88, 0.5)) * dry)


def soil(rng: Rng, shape: tuple[int, int]) -> Field:
    level = rng.uniform(0.3, 0.48) * (0.3 + 1.4 * noise(rng, shape, 24, 4))
    return _coloured(level, (1.1, 0.88, 0.68))


def tiles(rng: Rng, shape: tuple[int, int]) -> Field:
    side = int(rng.integers(60, 140))
    rows, columns = np.indices(shape)
    tone = rng.uniform(0.88, 1.08, (shape[0] // side + 2, shape[1] // side + 2))
    joint = (rows % side < 3) | (columns % side < 3)
    level = rng.uniform(0.5, 0.75) * tone[rows // side, columns // side] * np.where(joint, 0.62, 1.0)
    level = level * (1 + 0.25 * (noise(rng, shape, 8) - 0.5))
    return _coloured(level.astype(np.float32), 1 + rng.uniform(-0.06, 0.06, 3))


def planks(rng: Rng, shape: tuple[int, int]) -> Field:
    side = int(rng.integers(50, 90))
    rows, _ = np.indices(shape)
    wood = np.asarray(Image.fromarray(noise(rng, (shape[0], 24), 3)).resize(shape[::-1], Image.Resampling.BILINEAR))
    level = rng.uniform(0.45, 0.7) * (0.6 + 0.8 * wood) * np.where(rows % side < 3, 0.4, 1.0)
    return _coloured(level.astype(np.float32), (1.05, 0.82, 0.6))


GROUNDS = (asphalt, asphalt, sand, grass, soil, tiles, planks)


# Light and camera


def _camera(rng: Rng, scene: Field) -> Image.Image:
    """Cast shadows, exposure, colour cast, vignette, blur and sensor noise; gives the 8-bit picture."""
    shape = scene.shape[:2]
    down, across = np.linspace(-1, 1, shape[0], dtype=np.float32), np.linspace(-1, 1, shape[1], dtype=np.float32)
    slope = rng.uniform(-0.2, 0.2, 2).astype(np.float32)
    light = 1 + slope[0] * down[:, None] + slope[1] * across - 0.12 * (down[:, None] ** 2 + across**2)
    if rng.random() < 0.35:
        light *= 1 - rng.uniform(0.2, 0.5) * np.clip(noise(rng, shape, 180, 2) * 8 - 4, 0, 1)
    cast = rng.uniform(0.93, 1.07, 3) * rng.uniform(0.82, 1.12)
    scene = scene * light[..., None] * cast.astype(np.float32)
    scene = scene + rng.uniform(0.004, 0.022) * rng.standard_normal(shape, np.float32)[..., None]
    picture = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8))
    blur = rng.uniform(-0.6, 1.0)
    return picture.filter(ImageFilter.GaussianBlur(blur)) if blur > 0.2 else picture
