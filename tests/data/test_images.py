"""The pixels of a crop, made from its file: colour modes, orientation, clipping, padding, and every bad file."""

import resource
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerastrash.data.images import (
    AHEAD,
    MAX_PIXELS,
    ImageError,
    in_threads,
    read_crop,
)
from kerastrash.data.records import Crop

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def crop(path: Path, box=None, frame=None) -> Crop:
    return Crop(path, box, 0, path.name, frame=frame)


def reason(crop: Crop) -> str:
    with pytest.raises(ImageError) as raised:
        read_crop(crop, 8)
    assert str(crop.image) in str(raised.value)
    return raised.value.reason


def two_colours(path: Path, **options) -> Path:
    """40 x 20, left half red, right half blue."""
    image = Image.new("RGB", (40, 20), RED)
    image.paste(BLUE, (20, 0, 40, 20))
    image.save(path, **options)
    return path


def test_a_crop_is_padded_with_black_to_a_centred_square_and_resized_bilinearly(tmp_path, draw):
    path = two_colours(tmp_path / "a.png")
    expected = np.zeros((40, 40, 3), np.uint8)
    expected[10:30, :20], expected[10:30, 20:] = RED, BLUE
    pixels = read_crop(crop(path), 40)
    assert (pixels.shape, pixels.dtype) == (expected.shape, np.uint8)
    assert (pixels == expected).all()
    tall = np.zeros((20, 20, 3), np.uint8)
    tall[:, 5:15] = RED
    assert (read_crop(crop(path, (0, 0, 10, 20)), 20) == tall).all()
    path = draw(tmp_path / "b.png", size=(30, 30))
    expected = np.asarray(Image.open(path).resize((12, 12), Image.Resampling.BILINEAR))
    assert (read_crop(crop(path), 12) == expected).all()


def test_a_box_is_clipped_to_the_image_and_widened_to_whole_pixels(tmp_path, draw):
    path = draw(tmp_path / "a.png", size=(40, 20))
    inside = {(-10, -4, 20, 14): (0, 0, 10, 10), (30, 10, 99, 99): (30, 10, 10, 10), (3.2, 3.2, 0.1, 0.1): (3, 3, 1, 1)}
    for box, pixels in inside.items():
        assert (read_crop(crop(path, box), 10) == read_crop(crop(path, pixels), 10)).all()


def test_a_very_long_crop_needs_no_canvas_of_its_length_squared(tmp_path):
    Image.new("RGB", (200_000, 2), RED).save(tmp_path / "long.png")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 4 * 2**30, limits[1]))  # the canvas would take 120 GiB
    try:
        pixels = read_crop(crop(tmp_path / "long.png"), 16)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert pixels[:7].max() == 0
    assert pixels[7:9].max() > 0


@pytest.mark.parametrize(
    ("orientation", "frame", "box", "colour"),
    [
        (6, None, (0, 0, 20, 20), RED),  # displayed a quarter turn clockwise: red above blue
        (6, None, (0, 20, 20, 20), BLUE),
        (6, (20, 40), (0, 0, 20, 20), RED),
        (6, (20, 40), (0, 20, 20, 20), BLUE),
        (6, (40, 20), (20, 0, 20, 20), BLUE),  # the stored size alone agrees: as stored
        (3, (40, 20), (0, 0, 20, 20), BLUE),  # both agree: as displayed
    ],
)
def test_boxes_are_cut_as_displayed_unless_only_the_stored_size_agrees(tmp_path, orientation, frame, box, colour):
    tags = Image.Exif()
    tags[0x0112] = orientation
    path = two_colours(tmp_path / "a.png", exif=tags)
    assert (read_crop(crop(path, box, frame=frame), 8) == colour).all()


def test_a_box_outside_the_image_and_an_image_of_another_size_than_annotated_are_errors(tmp_path):
    path = two_colours(tmp_path / "a.png")
    assert reason(crop(path, (40, 0, 5, 5))) == "box lies outside the image"
    assert reason(crop(path, (0, 0, 5, 5), frame=(80, 40))) == "size differs from the one annotated"


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 90, (90, 90, 90)),
        ("1", 1, (255, 255, 255)),
        ("LA", (90, 255), (90, 90, 90)),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), BLACK),
        ("I;16", 32896, (128, 128, 128)),
        ("I;16", 65535, (255, 255, 255)),
    ],
)
def test_every_colour_mode_becomes_eight_bit_rgb(tmp_path, mode, colour, expected):
    Image.new(mode, (6, 6), colour).save(tmp_path / "a.png")
    assert (read_crop(crop(tmp_path / "a.png"), 6) == expected).all()


def test_a_palette_is_laid_on_black_where_it_is_transparent_and_cmyk_becomes_rgb(tmp_path):
    image = Image.new("P", (6, 6), 1)
    image.putpalette([0, 255, 0, 255, 0, 0])
    image.paste(0, (0, 0, 3, 6))
    image.save(tmp_path / "a.png", transparency=0)
    pixels = read_crop(crop(tmp_path / "a.png"), 6)
    assert (pixels[:, :3] == BLACK).all()
    assert (pixels[:, 3:] == RED).all()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_crop(crop(tmp_path / "a.jpg"), 8).astype(int) - RED).max() < 8


def test_bad_files_are_errors_with_the_reason(tmp_path, draw):
    damaged = ("a.tiff", "a.png", "a.jpg", "a.webp")
    Image.new("F", (8, 8), 0.5).save(tmp_path / damaged[0])  # of floating point
    for name in damaged[1:]:
        path = draw(tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_bytes(b"a photograph of a can")
    (tmp_path / "drawing.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    expected = {"absent.jpg": "no such file", "": "no such file", "empty.jpg": "file is empty"}
    expected |= {"text.jpg": "is no image", "drawing.png": "is no image"}
    expected |= dict.fromkeys(damaged, "image is damaged or cut short")
    assert {name: reason(crop(tmp_path / name)) for name in expected} == expected


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("sides", [(10_000, 8_948), (20_000, 20_000)])
def test_an_image_over_pillows_limit_is_an_error_before_it_is_decoded(tmp_path, draw, sides):
    assert sides[0] * sides[1] > MAX_PIXELS
    bomb, limit = draw(tmp_path / "bomb.bmp"), Image.MAX_IMAGE_PIXELS
    content = bytearray(bomb.read_bytes())
    content[18:26] = struct.pack("<ii", *sides)  # what the header claims
    bomb.write_bytes(content)
    assert reason(crop(bomb)) == "decompression bomb: over 89,478,485 pixels"
    assert limit == Image.MAX_IMAGE_PIXELS


def test_threads_keep_the_order_begin_few_items_ahead_and_none_after_a_close():
    assert list(in_threads(str, range(400))) == list(map(str, range(400)))
    begun = []
    stream = in_threads(begun.append, range(400))
    next(stream)
    time.sleep(0.3)
    assert len(begun) <= AHEAD
    stream.close()
    assert len(begun) <= AHEAD
