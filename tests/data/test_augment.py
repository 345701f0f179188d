import numpy as np
import pytest
from PIL import Image, ImageOps

from kerastrash.data.augment import NAMES, OPERATIONS, Augmentation, cut_out
from kerastrash.errors import ConfigError

UNLEVELLED = {"AutoContrast", "Equalize"}


def picture(size=33, low=0, high=256):
    return np.random.default_rng(1).integers(low, high, (size, size, 3), dtype=np.uint8)


def apply(name, image, level, sign=1):
    return np.array(OPERATIONS[name](Image.fromarray(image), level, sign))


def blend(degenerate, image, factor):
    """Pillow's enhancement in numpy: from the degenerate picture through the image and beyond."""
    return np.clip(degenerate + (image.astype(float) - degenerate) * factor, 0, 255)


def luma(image):
    return np.array(Image.fromarray(image).convert("L")).astype(float)


def test_the_operations_are_the_fourteen_of_the_contest():
    assert set(NAMES) == {
        *("Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize"),
        *("Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"),
    }


@pytest.mark.parametrize("name", sorted(set(NAMES) - UNLEVELLED))
@pytest.mark.parametrize("sign", [1, -1])
def test_level_zero_leaves_the_image(name, sign):
    np.testing.assert_array_equal(apply(name, picture(), 0.0, sign), picture())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"Identity"}))
def test_level_one_changes_the_image(name):
    image = picture(low=40, high=200)
    assert not np.array_equal(apply(name, image, 1.0), image)


def test_identity_leaves_the_image_at_every_level():
    np.testing.assert_array_equal(apply("Identity", picture(), 1.0), picture())


def test_autocontrast_stretches_each_channel_to_the_whole_range():
    image = picture(low=50, high=180)
    stretched = apply("AutoContrast", image, 0.5)
    np.testing.assert_array_equal(stretched.min((0, 1)), 0)
    np.testing.assert_array_equal(stretched.max((0, 1)), 255)
    span = (image - image.min((0, 1)).astype(float)) * 255 / (image.max((0, 1)) - image.min((0, 1)).astype(float))
    np.testing.assert_allclose(stretched, span, atol=1)


def test_equalize_spreads_the_levels_evenly():
    image = (picture(64) // 16) ** 2
    equal = apply("Equalize", image, 0.5)
    order = np.argsort(image[..., 0], axis=None, kind="stable")
    assert (np.diff(equal[..., 0].ravel()[order].astype(int)) >= 0).all()
    quarters = np.histogram(equal[..., 0], bins=4, range=(0, 256))[0] / equal[..., 0].size
    np.testing.assert_allclose(quarters, 0.25, atol=0.06)
    np.testing.assert_array_equal(equal, ImageOps.equalize(Image.fromarray(image)))


@pytest.mark.parametrize(("level", "threshold"), [(0.25, 192), (0.5, 128), (1.0, 0)])
def test_solarize_inverts_from_its_threshold_up(level, threshold):
    image = picture()
    np.testing.assert_array_equal(apply("Solarize", image, level), np.where(image >= threshold, 255 - image, image))


@pytest.mark.parametrize(("level", "bits"), [(0.0, 8), (0.25, 7), (0.5, 6), (1.0, 4)])
def test_posterize_keeps_the_upper_bits(level, bits):
    image = picture()
    np.testing.assert_array_equal(apply("Posterize", image, level), image >> (8 - bits) << (8 - bits))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("level", [0.5, 1.0])
def test_colour_contrast_and_brightness_scale_by_up_to_nine_tenths(sign, level):
    image, factor = picture(), 1 + sign * 0.9 * level
    mean = int(luma(image).mean() + 0.5)
    references = {"Brightness": 0.0, "Contrast": float(mean), "Color": luma(image)[..., None]}
    for name, degenerate in references.items():
        np.testing.assert_allclose(apply(name, image, level, sign), blend(degenerate, image, factor), atol=1.01)


@pytest.mark.parametrize("sign", [1, -1])
def test_sharpness_scales_the_difference_to_the_smoothed_image(sign):
    image = picture()
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), (3, 3), axis=(0, 1))
    smooth = image.astype(float)
    smooth[1:-1, 1:-1] = np.rint((windows * kernel).sum((-1, -2)))
    expected = blend(smooth, image, 1 + sign * 0.9)
    np.testing.assert_allclose(apply("Sharpness", image, 1.0, sign), expected, atol=2.01)


@pytest.mark.parametrize(("name", "axis"), [("TranslateX", 1), ("TranslateY", 0)])
@pytest.mark.parametrize("sign", [1, -1])
def test_translate_moves_by_up_to_150_of_331_of_the_side_and_fills_with_grey(name, axis, sign):
    image = picture(331)
    moved = np.moveaxis(apply(name, image, 1.0, sign), axis, 0)
    image = np.moveaxis(image, axis, 0)
    kept, source = (slice(0, -150), slice(150, None)) if sign > 0 else (slice(150, None), slice(0, -150))
    np.testing.assert_array_equal(moved[kept], image[source])
    uncovered = moved[-150:] if sign > 0 else moved[:150]
    assert (uncovered == 128).all()


@pytest.mark.parametrize(("name", "axis"), [("ShearX", 0), ("ShearY", 1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_shear_moves_each_line_in_proportion_to_its_place(name, axis, sign):
    size = 100
    ramp = np.broadcast_to(np.arange(size, dtype=np.uint8)[:, None], (size, size))
    ramp = ramp.T if axis == 0 else ramp
    image = np.repeat(ramp[..., None], 3, axis=2).copy()
    sheared = apply(name, image, 1.0, sign)[..., 0].astype(float)
    sheared = sheared if axis == 0 else sheared.T
    rows, columns = np.indices((size, size))
    expected = columns + sign * 0.3 * (rows + 0.5)
    inside = (expected > 1) & (expected < size - 2)
    np.testing.assert_allclose(sheared[inside], expected[inside], atol=1)
    assert (sheared[(expected < -1) | (expected > size)] == 128).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_rotate_turns_by_up_to_thirty_degrees_and_fills_with_grey(sign):
    size, middle = 101, 50
    image = np.zeros((size, size, 3), np.uint8)
    image[middle - 1 : middle + 2, middle + 30 : middle + 40] = 255
    turned = apply("Rotate", image, 1.0, sign)
    assert (turned[0, 0] == 128).all()
    weight = np.where(turned[..., 0] > 200, 1.0, 0.0)
    rows, columns = np.indices((size, size))
    angle = np.arctan2(-(weight * (rows - middle)).sum(), (weight * (columns - middle)).sum())
    assert np.degrees(angle) == pytest.approx(sign * 30, abs=1)


def test_the_same_random_state_gives_the_same_image():
    augmentation = Augmentation(n_select=3, cutout=0.4)
    first, second = (augmentation(picture(), np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, augmentation(picture(), np.random.default_rng(10)))


def test_the_result_has_the_shape_and_type_of_the_image_and_leaves_it_alone():
    image = picture(20)
    for seed in range(30):
        augmented = Augmentation(n_select=6, cutout=0.5)(image, np.random.default_rng(seed))
        assert augmented.shape == (20, 20, 3)
        assert augmented.dtype == np.uint8
    np.testing.assert_array_equal(image, picture(20))


@pytest.mark.parametrize("n_select", range(7))
def test_operations_are_drawn_without_repetition_and_all_of_them_come_up(n_select):
    rng = np.random.default_rng(0)
    draws = [Augmentation(n_select=n_select).draw(rng) for _ in range(200)]
    assert all(len(set(names)) == len(names) == n_select for names in draws)
    assert {name for names in draws for name in names} == (set(NAMES) if n_select else set())


def test_half_of_the_images_are_mirrored_and_none_without_flip():
    image = picture()
    rng = np.random.default_rng(0)
    flipped = [Augmentation(n_select=0)(image, rng) for _ in range(200)]
    mirrored = sum(np.array_equal(one, image[:, ::-1]) for one in flipped)
    assert mirrored + sum(np.array_equal(one, image) for one in flipped) == 200
    assert 70 < mirrored < 130
    np.testing.assert_array_equal(Augmentation(n_select=0, flip=False)(image, rng), image)


def test_a_fixed_level_of_zero_changes_nothing_but_the_unlevelled_operations():
    levelled = Augmentation(n_select=2, level=0.0, flip=False)
    seen = 0
    for seed in range(40):
        if not UNLEVELLED & set(levelled.draw(np.random.default_rng(seed))):
            seen += 1
            np.testing.assert_array_equal(levelled(picture(), np.random.default_rng(seed)), picture())
    assert seen > 20


def test_cutout_is_a_grey_square_of_its_share_of_the_side_with_the_centre_anywhere():
    image = np.zeros((40, 40, 3), np.uint8)
    masks = [(cut_out(image, 0.25, np.random.default_rng(seed)) == 128).all(-1) for seed in range(300)]
    assert max(mask.sum() for mask in masks) == 100
    assert all(mask.sum() >= 25 for mask in masks)
    assert np.logical_or.reduce(masks).all()
    rows, columns = masks[0].any(1), masks[0].any(0)
    np.testing.assert_array_equal(masks[0], rows[:, None] & columns)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"n_select": 7}, "n_select=7"),
        ({"n_select": -1}, "n_select=-1"),
        ({"n_select": 1.5}, "n_select=1.5"),
        ({"level": 1.1}, "level=1.1"),
        ({"level": float("nan")}, "level=nan"),
        ({"cutout": -0.1}, "cutout=-0.1"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, named):
    with pytest.raises(ConfigError, match=named):
        Augmentation(**settings)
