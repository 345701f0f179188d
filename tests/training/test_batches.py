import keras
import numpy as np
import pytest

from kerastrash.augment.augmentation import Augmentation
from kerastrash.augment.mix import Mixing
from kerastrash.errors import ConfigError
from kerastrash.training.batches import CropBatches, FollowEpochs
from kerastrash.training.feeding import DeviceBatches

pytestmark = pytest.mark.backends

INDICES = np.array([1, 4, 5, 7, 8, 10, 13, 14, 17, 19, 22, 23])


def cache(count=24, size=8):
    """Crops of one level each, so that a mean names a crop; the texture in a corner lets augmentation show."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None] * 10, (count, size, size, 3)).copy()
    images[:, :3, :2] += np.arange(3, dtype=np.uint8)
    return images


def batches(**settings):
    return CropBatches(**{"images": cache(), "indices": INDICES, "labels": INDICES % 6, "batch_size": 3, **settings})


def content(data):
    return [np.concatenate([part[number][k].ravel() for number in range(len(part))]) for part in [data] for k in (0, 1)]


def assert_same(first, second):
    for one, other in zip(content(first), content(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_unshuffled_set_yields_the_cached_crops_in_the_order_of_the_indices():
    data = batches(batch_size=5)
    assert len(data) == 3
    np.testing.assert_array_equal(np.concatenate([data[i][0] for i in range(3)]), cache()[INDICES])
    np.testing.assert_array_equal(np.concatenate([data[i][1] for i in range(3)]), INDICES % 6)
    assert data[0][0].dtype == np.uint8
    assert data[0][1].dtype == np.int32
    assert data[2][0].shape == (2, 8, 8, 3)


def test_drop_remainder_leaves_out_the_batch_that_is_not_full():
    data = batches(batch_size=5, drop_remainder=True)
    assert [len(data[i][0]) for i in range(len(data))] == [5, 5]


def test_a_shuffled_epoch_holds_every_crop_once_with_its_own_label():
    data = batches(sampler="shuffle", seed=3)
    crops = np.concatenate([data[i][0][:, -1, -1, 0] // 10 for i in range(len(data))])
    labels = np.concatenate([data[i][1] for i in range(len(data))])
    assert sorted(crops) == list(INDICES)
    assert list(crops) != list(INDICES)
    np.testing.assert_array_equal(labels, crops % 6)


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


@pytest.mark.parametrize("settings", [{"sampler": "shuffle"}, {"augmentation": Augmentation(n_select=2)}])
@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 1}])
def test_epochs_and_seeds_differ_in_order_and_in_augmentation(settings, other):
    assert not np.array_equal(content(batches(**settings))[0], content(batches(**settings, **other))[0])


def test_a_crops_augmentation_does_not_depend_on_its_neighbours():
    settings = {"augmentation": Augmentation(n_select=4), "seed": 5, "epoch": 2}
    whole = batches(**settings, batch_size=12)[0][0]
    for place, index in enumerate(INDICES):
        alone = batches(**settings, indices=[index], labels=[0], batch_size=1)[0][0]
        np.testing.assert_array_equal(alone[0], whole[place])


def test_labels_are_one_hot_where_the_number_of_classes_is_given():
    labels = batches(classes=6, batch_size=12)[0][1]
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, np.eye(6)[INDICES % 6])


@pytest.mark.parametrize("mixing", [Mixing(mixup=0.4), Mixing(cutmix=1.0)])
def test_mixed_batches_carry_the_shares_of_their_images_in_their_labels(mixing):
    data = batches(images=np.repeat(cache()[:, -1:, -1:], 64, axis=1).repeat(64, axis=2), mixing=mixing, classes=24)
    data.labels = INDICES.astype(np.int32)  # each crop its own class, so that a label says what the mean must be
    for number in range(len(data)):
        images, labels = data[number]
        assert labels.shape == (3, 24)
        np.testing.assert_allclose(labels.sum(-1), 1, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(images).mean((1, 2, 3)), labels @ (np.arange(24) * 10.0), atol=1.01)


def columns(epoch):
    """Two targets a crop: its index and the epoch."""
    return np.stack([np.arange(24), np.full(24, epoch)], axis=1).astype(np.float32)


@pytest.mark.parametrize("kind", [CropBatches, DeviceBatches])
def test_targets_join_the_labels_of_their_crops_in_every_epoch(kind):
    data = kind(cache(), INDICES, INDICES % 6, 5, sampler="shuffle", targets=columns)
    for epoch in (0, 3):
        data.set_epoch(epoch)
        for number in range(len(data)):
            images, labels = data[number]
            crops = np.asarray(keras.ops.convert_to_numpy(images))[:, -1, -1, 0] // 10
            assert labels.dtype == np.float32
            np.testing.assert_array_equal(labels, np.stack([crops % 6, crops, np.full(len(crops), epoch)], axis=1))


@pytest.mark.parametrize("kind", [CropBatches, DeviceBatches])
def test_augmentation_can_repeat_while_the_order_goes_on(kind):
    settings = {"augmentation": Augmentation(n_select=2), "sampler": "shuffle", "seed": 5, "targets": columns}
    data = kind(cache(), INDICES, INDICES % 6, 12, **settings, draws=lambda epoch: (9, epoch % 2))

    def seen(epoch):
        data.set_epoch(epoch)
        images, labels = data[0]
        crops = labels[:, 1]
        return crops, np.asarray(keras.ops.convert_to_numpy(images))[np.argsort(crops)]

    (order, first), (_, other), (later, again) = seen(1), seen(2), seen(3)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(order, later)
    assert not np.array_equal(first, other)
    data = kind(cache(), INDICES, INDICES % 6, 12, **settings | {"seed": 9})
    np.testing.assert_array_equal(first, seen(1)[1])


def test_a_mapped_cache_is_read_right_while_its_pages_are_given_back_and_stays_as_it_is(tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", cache())
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    monkeypatch.setattr("kerastrash.data.dataset.MOST_MAPPED", 1)
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
    ({"targets": lambda epoch: columns(epoch)[1:]}, r"targets of epoch 0 are \(23, 2\) for 24 crops"),
    ({"targets": columns, "classes": 6}, "targets join integer labels"),
]


@pytest.mark.parametrize(("settings", "said"), REFUSED)
def test_settings_that_make_no_batch_or_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        batches(**settings)


def mean_net():
    """A net whose output, and loss, is the mean level of the picture; its learning rate is 0."""
    inputs = keras.Input((8, 8, 3))
    level = keras.layers.Lambda(lambda x: keras.ops.mean(x, axis=(1, 2, 3)))(inputs)
    level = keras.layers.Reshape((1,))(level)
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(level)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), loss=lambda labels, level: keras.ops.mean(level, axis=-1))
    return model


class Seen(keras.callbacks.Callback):
    """Records the mean level of every batch that the net has seen, one list an epoch."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append([])

    def on_train_batch_end(self, batch, logs=None):
        self.epochs[-1].append(float(logs["loss"]) * (batch + 1) - sum(self.epochs[-1]))


def expected(epoch, **settings):
    data = batches(**settings, epoch=epoch)
    return [data[i][0].mean() for i in range(len(data))]


@pytest.mark.parametrize("workers", [1, 2])
def test_fit_sees_exactly_the_batches_of_each_epoch(workers):
    settings = {"augmentation": Augmentation(n_select=2, cutout=0.5), "sampler": "shuffle", "seed": 11}
    model, validation = mean_net(), batches(workers=workers)
    for initial_epoch, epochs in ((0, 3), (1, 3)):
        data, seen = batches(**settings, workers=workers), Seen()
        model.fit(
            data,
            validation_data=validation,
            initial_epoch=initial_epoch,
            epochs=epochs,
            shuffle=False,
            callbacks=[FollowEpochs(data), seen],
            verbose=0,
        )
        assert len(seen.epochs) == epochs - initial_epoch
        for epoch, levels in enumerate(seen.epochs, start=initial_epoch):
            np.testing.assert_allclose(levels, expected(epoch, **settings), rtol=1e-4)


def test_a_net_of_float_input_takes_the_uint8_batches():
    model, data = mean_net(), batches(workers=2)
    predicted = model.predict(data, verbose=0)
    np.testing.assert_allclose(predicted[:, 0], cache()[INDICES].mean((1, 2, 3)), rtol=1e-5)
    assert model.evaluate(data, verbose=0) == pytest.approx(cache()[INDICES].mean(), rel=1e-5)
