import keras
import numpy as np
import pytest

from kerastrash.augment.device import mix_batch
from kerastrash.augment.mix import MixDraw, Mixing, mix_images, mix_labels

pytestmark = pytest.mark.backends


def batch(size=6, side=20):
    return np.random.default_rng(2).integers(0, 256, (size, side, side, 3), dtype=np.uint8)


def test_a_draw_depends_on_seed_epoch_and_batch():
    mixing = Mixing(mixup=0.4)

    def drawn(*numbers):
        draw = mixing.draw(*numbers, 64, 20)
        return (*draw.permutation.tolist(), draw.share)

    assert drawn(1, 2, 3) == drawn(1, 2, 3)
    assert len({drawn(1, 2, 3), drawn(2, 2, 3), drawn(1, 3, 3), drawn(1, 2, 4)}) == 4


def test_mixup_blends_each_image_with_another_one():
    images, draw = batch(), Mixing(mixup=1.0).draw(0, 0, 0, 6, 20)
    assert draw.box is None
    assert 0 < draw.share < 1
    expected = draw.share * images + (1 - draw.share) * images[draw.permutation].astype(float)
    np.testing.assert_allclose(mix_images(images, draw), expected, atol=1e-3)
    assert sorted(draw.permutation) == list(range(6))


def test_cutmix_takes_a_box_of_any_place_and_size_from_another_image_and_the_share_is_the_area_that_stays():
    images, mixing = batch(), Mixing(cutmix=1.0)
    hits, shares = np.zeros((20, 20)), []
    for number in range(400):
        draw = mixing.draw(0, 0, number, 6, 20)
        top, left, bottom, right = draw.box
        assert 0 <= top <= bottom <= 20
        assert 0 <= left <= right <= 20
        mixed = mix_images(images, draw)
        foreign = np.zeros((20, 20), bool)
        foreign[top:bottom, left:right] = True
        np.testing.assert_array_equal(mixed[:, foreign], images[draw.permutation][:, foreign])
        np.testing.assert_array_equal(mixed[:, ~foreign], images[:, ~foreign])
        assert draw.share == pytest.approx(1 - foreign.mean())
        hits += foreign
        shares.append(draw.share)
    assert hits.min() > 0
    assert min(shares) < 0.2
    assert max(shares) > 0.95


@pytest.mark.parametrize(("alpha", "spread"), [(0.2, 0.42), (1.0, 0.289), (8.0, 0.121)])
def test_shares_follow_the_beta_distribution(alpha, spread):
    shares = [Mixing(mixup=alpha).draw(0, 0, number, 2, 20).share for number in range(1000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)
    assert np.std(shares) == pytest.approx(spread, abs=0.03)


def test_each_batch_draws_one_of_the_two_where_both_are_on():
    draws = [Mixing(mixup=0.2, cutmix=1.0).draw(0, 0, number, 4, 20) for number in range(200)]
    assert 70 < sum(draw.box is not None for draw in draws) < 130


def test_nothing_is_mixed_where_both_are_off():
    draw = Mixing().draw(0, 0, 0, 6, 20)
    np.testing.assert_array_equal(mix_images(batch(), draw), batch())
    np.testing.assert_array_equal(mix_labels(np.arange(6), draw, 6), np.eye(6))


def test_a_label_is_shared_as_the_images_are():
    draw = MixDraw(np.array([1, 2, 0, 3]), 0.75)
    expected = [[0.75, 0.25, 0], [0, 0.75, 0.25], [0.25, 0, 0.75], [0, 1, 0]]
    targets = mix_labels(np.array([0, 1, 2, 1]), draw, 3)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets, expected, atol=1e-6)


@pytest.mark.parametrize("mixing", [Mixing(mixup=0.7), Mixing(cutmix=0.7), Mixing()])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_device_mixes_as_numpy_does(mixing, dtype):
    images, draw = batch().astype(dtype), mixing.draw(4, 1, 2, 6, 20)
    mixed = mix_batch(keras.ops.convert_to_tensor(images), draw)
    assert keras.backend.standardize_dtype(mixed.dtype) == mix_images(images, draw).dtype == "float32"
    np.testing.assert_allclose(keras.ops.convert_to_numpy(mixed), mix_images(images, draw), atol=1e-4)
