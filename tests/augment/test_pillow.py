from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from kerastrash.augment.augmentation import CONTEST, Augmentation, Draws
from kerastrash.augment.mix import Mixing
from kerastrash.augment.operations import NAMES, OPERATIONS
from kerastrash.errors import ConfigError

UNLEVELLED = ("AutoContrast", "Equalize")


def picture(size=33, low=0, high=256):
    return np.random.default_rng(1).integers(low, high, (size, size, 3), dtype=np.uint8)


def one_draw(*names, level=1.0, signs=(), flip=False, turns=0, centre=(0.5, 0.5)):
    operations = np.array([NAMES.index(name) for name in names], np.int8)
    signs = np.array(signs or (1,) * len(names), np.int8)
    centre = np.array(centre, np.float32)
    return Draws(operations, signs, np.float32(level), np.bool_(flip), np.int8(turns), centre)


def _affine(image, *coefficients):
    grey = (128, 128, 128)
    return image.transform(image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=grey)


def pillows_own(name, image, level, sign):
    """The operation as Pillow offers it whole."""
    factor, width, height = 1 + sign * 0.9 * level, *image.size
    return {
        "Identity": lambda: image,
        "AutoContrast": lambda: ImageOps.autocontrast(image),
        "Equalize": lambda: ImageOps.equalize(image),
        "Rotate": lambda: image.rotate(sign * 30 * level, Image.Resampling.BILINEAR, fillcolor=(128, 128, 128)),
        "Solarize": lambda: ImageOps.solarize(image, round(256 * (1 - level))),
        "Color": lambda: ImageEnhance.Color(image).enhance(factor),
        "Posterize": lambda: ImageOps.posterize(image, round(8 - 4 * level)),
        "Contrast": lambda: ImageEnhance.Contrast(image).enhance(factor),
        "Brightness": lambda: ImageEnhance.Brightness(image).enhance(factor),
        "Sharpness": lambda: ImageEnhance.Sharpness(image).enhance(factor),
        "ShearX": lambda: _affine(image, 1, sign * 0.3 * level, 0, 0, 1, 0),
        "ShearY": lambda: _affine(image, 1, 0, 0, sign * 0.3 * level, 1, 0),
        "TranslateX": lambda: _affine(image, 1, 0, sign * level * width * 150 / 331, 0, 1, 0),
        "TranslateY": lambda: _affine(image, 1, 0, 0, 0, 1, sign * level * height * 150 / 331),
    }[name]()


@pytest.mark.parametrize("name", CONTEST)
@pytest.mark.parametrize("sign", [1, -1])
def test_every_pixel_is_that_of_pillows_own_operation(name, sign):
    pictures = [picture(size, 30, 200) for size in (32, 33)]
    pictures += [np.full((9, 9, 3), 77, np.uint8), np.where(picture(21) < 128, 3, 250).astype(np.uint8)]
    pictures.append(picture(40)[:25])  # wider than high
    for image in map(Image.fromarray, pictures):
        for level in (0.0, 0.1, 0.25, 0.3, 0.5, 0.77, 1.0):
            expected = np.asarray(pillows_own(name, image, level, sign))
            np.testing.assert_array_equal(np.asarray(OPERATIONS[name].apply(image, level, sign)), expected)


@pytest.mark.parametrize("turns", range(4))
def test_a_draw_is_flipped_then_turned_against_the_clock_then_changed_each_operation_in_its_order_with_its_sign(turns):
    names, signs = ("ShearX", "Solarize", "Contrast"), (-1, 1, -1)
    expected = turned = np.rot90(picture()[:, ::-1], turns)
    for name, sign in zip(names, signs, strict=True):
        expected = np.asarray(pillows_own(name, Image.fromarray(expected), 0.5, sign))
    draw = one_draw(*names, level=0.5, signs=signs, flip=True, turns=turns)
    np.testing.assert_array_equal(Augmentation().apply(picture(), draw), expected)
    np.testing.assert_array_equal(Augmentation().apply(picture(), one_draw(flip=True, turns=turns)), turned)


def test_the_result_is_new_and_has_the_shape_and_type_of_the_image_which_may_be_mapped_and_read_only(tmp_path):
    np.save(tmp_path / "crop.npy", picture(20))
    augmentation, nothing = Augmentation(n_select=6, cutout=0.5), Augmentation(n_select=0)
    for image in (picture(20), np.load(tmp_path / "crop.npy", mmap_mode="r")):
        draws = augmentation.draw(0, 0, 30)
        for index in range(30):
            augmented = augmentation.apply(image, draws[index])
            assert (augmented.shape, augmented.dtype) == ((20, 20, 3), np.uint8)
        untouched = nothing.apply(image, one_draw())
        np.testing.assert_array_equal(untouched, image)
        untouched[...] = 0
        np.testing.assert_array_equal(image, picture(20))


@pytest.mark.parametrize("name", NAMES)
def test_level_one_changes_the_image_and_level_zero_only_where_the_level_does_not_matter(name):
    image = picture(low=40, high=200)
    still, changed = (
        np.array_equal(Augmentation().apply(image, one_draw(name, level=level)), image) for level in (0.0, 1.0)
    )
    assert still == (name not in UNLEVELLED)
    assert changed == (name == "Identity")


def test_cutout_is_a_grey_square_of_its_share_of_the_side_around_its_centre():
    image, augmentation = np.zeros((40, 40, 3), np.uint8), Augmentation(cutout=0.25)
    draws = augmentation.draw(0, 0, 300)
    black = replace(draws, operations=draws.operations[:, :0], signs=draws.signs[:, :0])
    masks = [(augmentation.apply(image, black[index]) == 128).all(-1) for index in range(300)]
    assert max(mask.sum() for mask in masks) == 100
    assert all(mask.sum() >= 25 for mask in masks)
    assert np.logical_or.reduce(masks).all()
    centred = (augmentation.apply(image, one_draw(centre=(0.5, 0.25))) == 128).all(-1)
    assert centred[15:25, 5:15].all()
    assert centred.sum() == 100


OUT_OF_RANGE = [
    *(({"n_select": number}, f"n_select={number}") for number in (7, -1, 1.5)),
    *(({"level": level}, f"level={level}") for level in (1.1, float("nan"))),
    *(({"n_level": number}, f"n_level={number}") for number in (0, 2.5)),
    ({"cutout": -0.1}, "cutout=-0.1"),
    ({"operations": ("Rotate", "Swirl")}, "operations=.*Swirl.* must be some of Identity, AutoContrast"),
    ({"operations": ("Rotate", "Rotate"), "n_select": 1}, "each once"),
    ({"operations": (), "n_select": 0}, r"operations=\(\)"),
    *(({"mixup": -1}, "mixup=-1"), ({"cutmix": float("inf")}, "cutmix=inf")),
    ({"operations": ("Rotate",)}, "n_select=2 must be a whole number from 0 to 1"),
]


@pytest.mark.parametrize(("settings", "named"), OUT_OF_RANGE)
def test_settings_out_of_range_are_refused_by_name(settings, named):
    with pytest.raises(ConfigError, match=named):
        (Mixing if set(settings) & {"mixup", "cutmix"} else Augmentation)(**settings)
