import keras
import numpy as np
import pytest

from kerastrash.augment.augmentation import Augmentation
from kerastrash.augment.mix import Mixing
from kerastrash.errors import ConfigError
from kerastrash.training.batches import CropBatches, FollowEpochs, epoch_order
from kerastrash.training.feeding import DeviceBatches

pytestmark = pytest.mark.backends

INDICES = np.array([1, 4, 5, 7, 8, 10, 13, 14, 17, 19, 22, 23])


def cache(count=24, size=8):
    """Crops of one level each, so that a mean names a crop; the texture in a corner lets augmentation show."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None] * 10, (count, size, size, 3)).copy()
    images[:, :3, :2] += np.arange(3, dtype=np.uint8)
    return images


def batches(kind=CropBatches, **settings):
    return kind(**{"images": cache(), "indices": INDICES, "labels": INDICES % 6, "batch_size": 3, **settings})


def content(data):
    """All images of an epoch and all labels."""
    given = (map(keras.ops.convert_to_numpy, data[number]) for number in range(len(data)))
    return [np.concatenate(parts) for parts in zip(*given, strict=True)]


def assert_same(first, second):
    for one, other in zip(content(first), content(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_unshuffled_set_yields_the_cached_crops_in_the_order_of_the_indices():
    data = batches(batch_size=5)
    images, labels = content(data)
    np.testing.assert_array_equal(images, cache()[INDICES])
    np.testing.assert_array_equal(labels, INDICES % 6)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    full = batches(batch_size=5, drop_remainder=True)
    assert [[len(each[i][0]) for i in range(len(each))] for each in (data, full)] == [[5, 5, 2], [5, 5]]
    one_hot = content(batches(classes=6))[1]
    assert one_hot.dtype == np.float32
    np.testing.assert_array_equal(one_hot, np.eye(6)[INDICES % 6])


class Marks:
    """Two targets a crop, its index and the epoch, and augmentation that repeats every other epoch."""

    def targets(self, epoch):
        return np.stack([np.arange(24), np.full(24, epoch)], axis=1).astype(np.float32)

    def draws(self, epoch):
        return 9, epoch % 2


@pytest.mark.parametrize("kind", [CropBatches, DeviceBatches])
@pytest.mark.parametrize("marks", [None, Marks()])
def test_a_shuffled_epoch_holds_every_crop_once_with_its_own_label_and_targets(kind, marks):
    data = batches(kind, batch_size=5, sampler="shuffle", seed=3, supervision=marks)
    for epoch in (0, 3):
        data.set_epoch(epoch)
        images, labels = content(data)
        crops = images[:, -1, -1, 0] // 10
        assert sorted(crops) == list(INDICES) != list(crops)
        if marks:
            assert labels.dtype == np.float32
            np.testing.assert_array_equal(labels[:, 1:], marks.targets(epoch)[crops])
        np.testing.assert_array_equal(labels[:, 0] if marks else labels, crops % 6)


DRAWN = [
    {"augmentation": Augmentation(n_select=3, cutout=0.3), "sampler": "shuffle", "seed": 7},
    {"mixing": Mixing(mixup=0.4, cutmix=1.0), "classes": 6, "sampler": "balanced", "seed": 3},
]


@pytest.mark.parametrize("settings", DRAWN, ids=["augmented", "mixed"])
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_batches_are_the_same_whatever_the_workers_and_whether_begun_directly_or_after_others(settings, workers):
    alone, ahead = batches(**settings), batches(**settings, workers=workers)
    for epoch in range(3):
        alone.set_epoch(epoch)
        ahead.set_epoch(epoch)
        assert_same(alone, ahead)
        assert_same(alone, batches(**settings, workers=workers, epoch=epoch))
    ahead.set_epoch(3)
    assert ahead[1][0].shape == (3, 8, 8, 3)  # and the rest is never asked for
    ahead.set_epoch(4)
    assert_same(ahead, batches(**settings, epoch=4))
    first = content(alone)[0]
    assert not np.array_equal(first, content(ahead)[0])


@pytest.mark.parametrize(
    "settings", [{"sampler": "shuffle"}, {"sampler": "balanced"}, {"augmentation": Augmentation(n_select=2)}]
)
@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 1}])
def test_epochs_and_seeds_differ_in_order_and_in_augmentation(settings, other):
    assert not np.array_equal(content(batches(**settings))[0], content(batches(**settings, **other))[0])


def test_a_crops_augmentation_does_not_depend_on_its_neighbours():
    settings = {"augmentation": Augmentation(n_select=4), "seed": 5, "epoch": 2}
    whole = batches(**settings, batch_size=12)[0][0]
    for place, index in enumerate(INDICES):
        alone = batches(**settings, indices=[index], labels=[0], batch_size=1)[0][0]
        np.testing.assert_array_equal(alone[0], whole[place])


@pytest.mark.parametrize("mixing", [Mixing(mixup=0.4), Mixing(cutmix=1.0)])
def test_mixed_batches_carry_the_shares_of_their_images_in_their_labels(mixing):
    data = batches(images=np.repeat(cache()[:, -1:, -1:], 64, axis=1).repeat(64, axis=2), mixing=mixing, classes=24)
    data.labels = INDICES.astype(np.int32)  # each crop its own class, so that a label says what the mean must be
    for number in range(len(data)):
        images, labels = data[number]
        assert labels.shape == (3, 24)
        np.testing.assert_allclose(labels.sum(-1), 1, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(images).mean((1, 2, 3)), labels @ (np.arange(24) * 10.0), atol=1.01)


@pytest.mark.parametrize("kind", [CropBatches, DeviceBatches])
def test_augmentation_can_repeat_while_the_order_goes_on(kind):
    augmentation, orders, views = Augmentation(n_select=2), [], []
    data = batches(kind, augmentation=augmentation, sampler="shuffle", seed=5, supervision=Marks())
    for epoch in (1, 2, 3):
        data.set_epoch(epoch)
        images, labels = content(data)
        orders.append(labels[:, 1])
        views.append(images[np.argsort(labels[:, 1])])
    np.testing.assert_array_equal(views[0], views[2])
    np.testing.assert_array_equal(views[0], content(batches(kind, augmentation=augmentation, seed=9, epoch=1))[0])
    assert not np.array_equal(views[0], views[1])
    assert not np.array_equal(orders[0], orders[2])


def test_a_mapped_cache_is_read_right_while_its_pages_are_given_back_and_stays_as_it_is(tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", cache())
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    monkeypatch.setattr("kerastrash.data.records.MOST_MAPPED", 1)
    assert_same(batches(images=images, workers=4), batches())
    drawn = batches(images=images, augmentation=Augmentation(n_select=2))[0][0]
    assert type(drawn) is np.ndarray
    np.testing.assert_array_equal(images, cache())


REFUSED = [
    ({"indices": [], "labels": []}, "batches: 0 crops make no batch of 3"),
    ({"batch_size": 16, "drop_remainder": True}, "no batch of 16"),
    ({"batch_size": 0}, "batches: batch_size=0"),
    ({"labels": [1, 2]}, "batches: 12 crops have 2 labels"),
    ({"mixing": Mixing(mixup=0.2)}, "mixing needs the number of classes"),
    ({"images": cache(25), "supervision": Marks()}, r"targets of epoch 0 are \(24, 2\) for 25 crops"),
    ({"supervision": Marks(), "classes": 6}, "targets join integer labels"),
]


@pytest.mark.parametrize(("settings", "said"), REFUSED)
def test_settings_that_make_no_batch_or_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        batches(**settings)


FED = [(CropBatches, 1), (CropBatches, 2), (DeviceBatches, 0)]


@pytest.mark.parametrize(("kind", "workers"), FED)
def test_fit_sees_exactly_the_batches_of_each_epoch_and_prediction_those_of_the_set(kind, workers):
    net = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    net.add(keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(1 / 3)))
    net.compile(keras.optimizers.SGD(0.0), loss=lambda labels, level: keras.ops.mean(level, axis=-1))
    settings = {"augmentation": Augmentation(n_select=2, cutout=0.5), "sampler": "shuffle", "seed": 11}
    validation = batches(kind, workers=workers)
    for initial_epoch, epochs in ((0, 3), (1, 3)):
        data, totals = batches(kind, **settings, workers=workers), []
        watching = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, totals=totals: totals.append(float(logs["loss"]) * (batch + 1))
        )  # the logs have the mean over the epoch's batches so far
        net.fit(
            data,
            validation_data=validation,
            initial_epoch=initial_epoch,
            epochs=epochs,
            shuffle=False,
            callbacks=[FollowEpochs(data), watching],
            verbose=0,
        )
        seen = np.diff(np.reshape(totals, (epochs - initial_epoch, len(data))), axis=1, prepend=0)
        for epoch, levels in enumerate(seen, start=initial_epoch):
            images, _ = content(batches(kind, **settings, epoch=epoch))
            np.testing.assert_allclose(levels, images.reshape(len(data), -1).mean(axis=1), rtol=1e-4)
    levels = cache()[INDICES].mean((1, 2, 3))
    np.testing.assert_allclose(net.predict(validation, verbose=0)[:, 0], levels, rtol=1e-5)
    assert net.evaluate(validation, verbose=0) == pytest.approx(levels.mean(), rel=1e-5)


SKEWED = np.repeat([0, 1, 2], [100, 30, 8])


def test_balanced_every_class_comes_equally_often_and_no_crop_twice_more_than_another_of_its_class():
    order = epoch_order(SKEWED, 0, 0, "balanced")
    assert len(order) == 138
    assert np.bincount(SKEWED[order]).tolist() == [46, 46, 46]
    for label in range(3):
        times = np.bincount(order, minlength=138)[label == SKEWED]
        assert times.max() - times.min() <= 1
    halves = np.bincount(SKEWED[order[:69]])
    assert halves.min() > 10  # the classes are mixed, not one after the other


def test_what_does_not_divide_evenly_goes_to_another_class_in_another_epoch():
    labels = SKEWED[:-1]
    counts = {tuple(np.bincount(labels[epoch_order(labels, 0, epoch, "balanced")])) for epoch in range(9)}
    assert len(counts) > 1
    assert all(sum(count) == 137 and max(count) - min(count) == 1 for count in counts)


def test_all_crops_of_a_large_class_come_in_turn_over_some_epochs():
    seen = set().union(*(epoch_order(SKEWED, 0, epoch, "balanced").tolist() for epoch in range(20)))
    assert seen == set(range(138))
