import keras
import numpy as np
import pytest

from kerastrash.augment.augmentation import CONTEST, Augmentation, Draws
from kerastrash.augment.device import augment_batch
from kerastrash.augment.operations import NAMES, OPERATIONS
from kerastrash.data import images as reading
from kerastrash.data.sources import SAMPLE_FOLDER

pytestmark = pytest.mark.backends

GEOMETRIC = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")


# How far the device form may be from Pillow: levels of 256, and the share of values that must be that near. A value of
# AutoContrast is one lower in Pillow where a product that should be whole is rounded below; a device may fuse the
# multiplication and addition of a blend; and a point on the edge of the picture may fall to either side of it.
def tolerance(name):
    if OPERATIONS[name].matrix:
        return 1, 0.999
    return (0, 1.0) if OPERATIONS[name].device in (None, "equalize") else (1, 1.0)


def natural(size=40, count=3):
    """Smooth gradients under a fine texture: uint8 (count, size, size, 3)."""
    rng = np.random.default_rng(5)
    down, across = np.mgrid[:size, :size] / size
    ramps = rng.uniform(-90, 90, (2, count, 1, 1, 3))
    waves = 30 * np.sin(9 * down + 5 * across)[..., None]
    smooth = 120 + ramps[0] * down[..., None] + ramps[1] * across[..., None] + waves
    return np.clip(smooth + rng.normal(0, 6, (count, size, size, 3)), 0, 255).astype(np.uint8)


def batch():
    return np.repeat(natural(), 8, axis=0)


def draws_of(rows, levels, signs=1, flips=False, centres=0.5, turns=0):
    """Draws of one row an image, from the names of its operations; one value is that of all images."""
    operations = np.array([[NAMES.index(name) for name in row] for row in rows], np.int8).reshape(len(rows), -1)
    return Draws(
        operations,
        np.resize(signs, operations.shape).astype(np.int8),
        np.resize(levels, len(rows)).astype(np.float32),
        np.resize(flips, len(rows)).astype(bool),
        np.resize(turns, len(rows)).astype(np.int8),
        np.resize(centres, (len(rows), 2)).astype(np.float32),
    )


def on_device(images, draws, cutout=0.0):
    return keras.ops.convert_to_numpy(augment_batch(images, draws, cutout))


def with_pillow(images, draws, cutout=0.0):
    augmentation = Augmentation(cutout=cutout)
    return np.stack([augmentation.apply(image, draws[index]) for index, image in enumerate(images)])


def share_within(levels, images, draws, cutout=0.0):
    """The share of values that differ by no more than so many levels."""
    return (abs(on_device(images, draws, cutout) - with_pillow(images, draws, cutout)) <= levels).mean()


def every_strength(images, name):
    """Each image at four levels and with both signs under one operation."""
    strengths = [(level, sign) for level in (0.0, 0.3, 0.5, 1.0) for sign in (1, -1)]
    rows = len(images) * len(strengths)
    levels, signs = zip(*strengths, strict=True)
    draws = draws_of([(name,)] * rows, np.tile(levels, len(images)), np.tile(signs, len(images)))
    return np.repeat(images, len(strengths), axis=0), draws


def real():
    files = [sorted((SAMPLE_FOLDER / "images" / kind).glob("*.jpg"))[7] for kind in ("glass", "metal", "paper")]
    return np.stack([reading.square(reading.decode(file, file.read_bytes()), 40) for file in files])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("crops", [natural, real])
def test_each_operation_agrees_with_pillow(name, crops):
    images, draws = every_strength(crops(), name)
    levels, share = tolerance(name)
    assert share_within(levels, images, draws) >= share
    assert share_within(0, images, draws) >= 0.99


def test_each_image_of_a_batch_gets_its_own_operations():
    rows = [(name, CONTEST[number - 9]) for number, name in enumerate(CONTEST)] + [("Identity", "Rotate")] * 10
    signs = np.where(np.arange(48) % 3 == 0, -1, 1).reshape(24, 2)
    draws = draws_of(rows, np.linspace(0.2, 1, 24), signs, flips=np.arange(24) % 2)
    together = on_device(batch(), draws, 0.3)
    for index in range(14):
        alone = on_device(batch()[index : index + 1], draws[index : index + 1], 0.3)[0]
        np.testing.assert_array_equal(together[index], alone)
    assert len(np.unique(together.reshape(24, -1), axis=0)) == 24


def test_two_operations_on_values_apply_in_the_order_drawn():
    names = ("Solarize", "Posterize", "Brightness", "Equalize", "Color", "Sharpness", "Contrast")
    rows = [(first, second) for first in names for second in names if first != second]
    images = np.repeat(natural(24), 14, axis=0)
    assert share_within(2, images, draws_of(rows, 0.7)) >= 0.999
    assert share_within(0, images, draws_of(rows, 0.7)) >= 0.99
    assert not np.array_equal(
        on_device(images[:1], draws_of(rows[:1], 0.7)), on_device(images[:1], draws_of(rows[6:7], 0.7))
    )


@pytest.mark.parametrize("name", ["Solarize", "Posterize", "Brightness", "Contrast", "Equalize", "Color", "Sharpness"])
def test_a_geometric_operation_and_one_on_values_agree_with_pillow_geometry_first(name):
    rows = [(GEOMETRIC[index % 5], name) for index in range(24)]
    expected = with_pillow(batch(), draws_of(rows, 0.5, flips=np.ones(24)))
    for order in (1, -1):
        augmented = on_device(batch(), draws_of([row[::order] for row in rows], 0.5, flips=np.ones(24)))
        assert (abs(augmented - expected) <= 2).mean() >= 0.99


FLAT_AND_HALVES = np.full((2, 16, 16, 3), 77, np.uint8)
FLAT_AND_HALVES[1, :4], FLAT_AND_HALVES[1, 4:] = (255, 0, 9), (0, 255, 10)
LARGE = natural(331, 1)
WHOLE = draws_of([("TranslateX", "TranslateY"), ("TranslateY", "TranslateX")], 1.0, (1, -1), [True, False])
HALF = draws_of([("TranslateX",), ("TranslateY",)] * 2, 0.25, [[1], [1], [-1], [-1]])
TURNS = {"flips": np.arange(8) < 4, "turns": np.arange(8) % 4}
SQUARES = draws_of([("Identity",)] * 3, 1.0, centres=[(0.5, 0.5), (0.0, 0.99), (0.9, 0.1)])
EXACT = {
    **{
        f"one value or two under {name}": (*every_strength(FLAT_AND_HALVES, name), 0.0)
        for name in ("AutoContrast", "Equalize", "Contrast")
    },
    "translations by 150 pixels, with the flip": (LARGE, WHOLE, 0.0),
    "translations by 37.5 pixels": (LARGE, HALF, 0.0),
    "quarter turns": (LARGE, draws_of([("Identity",)] * 8, 1.0, **TURNS), 0.0),
    "quarter turns before a translation": (LARGE, draws_of([("TranslateX",)] * 8, 1.0, **TURNS), 0.0),
    "cutout": (natural(), SQUARES, 0.4),
    "nothing drawn": (natural(), draws_of([()] * 3, 1.0), 0.0),
}


@pytest.mark.parametrize("kind", EXACT)
def test_these_agree_with_pillow_exactly(kind):
    images, draws, cutout = EXACT[kind]
    images = np.resize(images, (len(draws), *images.shape[1:]))
    augmented = on_device(images, draws, cutout)
    np.testing.assert_array_equal(augmented, with_pillow(images, draws, cutout))
    if "turns" in kind:
        assert len(np.unique(augmented.reshape(8, -1), axis=0)) == 8
    if kind in ("cutout", "nothing drawn"):
        assert np.array_equal(augmented, images) == (kind == "nothing drawn")


def test_geometric_operations_compose_in_the_order_drawn():
    rows = [(first, second) for first in GEOMETRIC for second in GEOMETRIC if first != second]
    down, across = np.mgrid[:48, :48]
    gradient = np.stack([4 * down, 4 * across, 2 * (down + across)], axis=-1)
    images = np.stack([np.full((48, 48, 3), 200), gradient]).astype(np.uint8)
    for flips in (np.zeros(20), np.ones(20)):
        draws = draws_of(rows, 0.6, np.tile([1, -1], (20, 1)), flips)
        covered, augmented = (on_device(np.repeat(image[None], 20, axis=0), draws) for image in images)
        covered_too, expected = (with_pillow(np.repeat(image[None], 20, axis=0), draws) for image in images)
        inside = (covered == 200) & (covered_too == 200)
        assert inside.mean() > 0.3
        difference = abs(augmented - expected)[inside]
        assert (difference <= 3).mean() >= 0.99  # Pillow rounds down twice


def test_what_a_second_operation_moves_back_is_not_lost():
    images = natural(331, 1)
    draws = draws_of([("TranslateX", "ShearX")], 1.0, [(1, -1)])
    kept, lost = (np.mean(form(images, draws) == 128) for form in (on_device, with_pillow))
    assert kept < lost


def test_an_epochs_draws_of_one_operation_agree_with_pillow():
    for epoch in range(3):
        assert share_within(1, batch(), Augmentation(n_select=1).draw(3, epoch, 24), 0.25) >= 0.999


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_arrays_and_tensors_of_whole_values_give_whole_values_in_float32(dtype):
    draws = Augmentation().draw(0, 0, 24)
    expected = on_device(batch(), draws, 0.2)
    for given in (batch().astype(dtype), keras.ops.convert_to_tensor(batch().astype(dtype))):
        augmented = augment_batch(given, draws, 0.2)
        assert keras.backend.standardize_dtype(augmented.dtype) == "float32"
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(augmented), expected)
    assert (expected == np.round(expected)).all()
    assert expected.min() >= 0
    assert expected.max() <= 255


def test_an_image_need_not_be_square_but_where_it_is_turned():
    wide = natural()[:, :28]
    rows = [("Rotate", "Sharpness"), ("TranslateY", "Equalize"), ("ShearY", "Contrast")]
    draws = draws_of(rows, 0.5, flips=[True, False, True])
    assert share_within(2, wide, draws) >= 0.99
    with pytest.raises(ValueError, match="square images, not for 40 x 28"):
        on_device(wide, draws_of([()] * 3, 1.0, turns=[0, 1, 0]))
