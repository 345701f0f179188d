"""A student learns what its teachers say, each crop's view seen once by each of them, and goes on after a kill."""

import dataclasses
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from keras.distillation import FeatureDistillation, LogitsDistillation
from scipy.special import log_softmax

from kerastrash.compress.config import DistillSettings
from kerastrash.compress.distill import DistilledLoss, Lessons, distill, open_teacher
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError, ModelError
from kerastrash.files import read_csv
from kerastrash.models import Conv, Pool, build_model
from kerastrash.models.saved import open_model, save_model
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.batches import CropBatches
from kerastrash.training.fit import train
from kerastrash.training.losses import CrossEntropy
from kerastrash.training.recipe import Recipe

CLASSES, TEACHER_SIZE, SIZE = ("checks", "dots", "stripes"), 32, 16
ROWS = (Conv(16, kernel=3, stride=2), Conv(16, kernel=3), Pool())
RECIPE = Recipe(epochs=6, batch_size=24, learning_rate=0.05, n_select=1, seed=3, workers=0)


def build() -> keras.Model:
    return build_model(ROWS, SIZE, classes=3)


@pytest.fixture(scope="module")
def turned(trained, tmp_path_factory) -> Path:
    """The trained net with its answers turned by one class: what it says is in no label."""
    model = open_model(trained)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([np.roll(kernel, 1, axis=1), np.roll(bias, 1)])
    path = tmp_path_factory.mktemp("turned") / "teacher.keras"
    save_model(model, path, CLASSES)
    return path


def lessons_of(data: DataConfig, settings: DistillSettings) -> Lessons:
    dataset = prepare(data, SIZE)
    teachers = [open_teacher(path, data, dataset, settings.features > 0) for path in settings.teachers]
    return Lessons(teachers, RECIPE.augmentation(), RECIPE.seed, settings)


@pytest.mark.parametrize("features", [0.0, 1.0])
def test_a_student_learns_what_its_teacher_says_rather_than_the_labels(turned, data, tmp_path, features):
    settings = DistillSettings(teachers=(turned,), hard_share=0.0, features=features, views=2)
    recipe = dataclasses.replace(RECIPE, epochs=25, keep="last")  # for the best epoch is chosen by the labels
    distill(build, data, SIZE, recipe, settings, tmp_path)
    student, part = open_model(tmp_path / "best.keras"), prepare(data, SIZE).split("test")
    predicted = np.argmax(student.predict(np.asarray(part.images[part.indices]), verbose=0), axis=1)
    assert np.mean(predicted == (part.labels + 1) % 3) > 0.7


def test_a_distillation_stopped_and_called_again_equals_one_that_ran_through(trained, data, tmp_path):
    settings = DistillSettings(teachers=(trained,), features=0.5, views=2)
    whole = distill(build, data, SIZE, RECIPE, settings, tmp_path / "whole")
    distill(build, data, SIZE, RECIPE, settings, tmp_path / "again")
    dataset, stopped = prepare(data, SIZE), tmp_path / "stopped"
    train(build, dataset, RECIPE, stopped, until=3, supervision=lessons_of(data, settings))
    assert distill(build, data, SIZE, RECIPE, settings, stopped).f1 == whole.f1
    columns = ("loss", "val_loss", "val_macro_f1")
    runs = [read_csv(tmp_path / run / "metrics.csv") for run in ("whole", "again", "stopped")]
    first, *others = [[[row[name] for name in columns] for row in rows] for rows in runs]
    assert others == [first, first]
    saved = open_model(whole.model)  # the student alone
    assert [layer.name for layer in saved.layers] == [layer.name for layer in build().layers]
    assert evaluate(saved, dataset.split("val")).macro_f1 == pytest.approx(whole.f1, abs=1e-6)


def test_each_view_is_seen_once_by_a_teacher_and_kept_for_other_students(trained, data, tmp_path):
    data = dataclasses.replace(data, cache=tmp_path / "cache")
    settings = DistillSettings(teachers=(trained,), views=2)
    kept = []
    for seed in (3, 9):
        distill(build, data, SIZE, dataclasses.replace(RECIPE, seed=seed), settings, tmp_path / f"student-{seed}")
        kept.append({path: path.stat().st_mtime_ns for path in (data.cache / "teachers").iterdir()})
    assert len(kept[0]) == 2
    assert kept[0] == kept[1]


def test_without_views_each_epoch_is_a_fresh_one_and_nothing_is_kept(trained, data, tmp_path):
    data = dataclasses.replace(data, cache=tmp_path / "cache")
    lessons = lessons_of(data, DistillSettings(teachers=(trained,), views=0))
    assert np.abs(lessons.targets(0) - lessons.targets(1)).max() > 0.1
    assert not (tmp_path / "cache" / "teachers").exists()


def test_a_teacher_is_asked_about_the_very_view_that_the_student_gets(trained, data):
    lessons = lessons_of(data, DistillSettings(teachers=(trained,), views=2))
    part, (seed, epoch) = prepare(data, TEACHER_SIZE).split("train"), lessons.draws(3)
    augmentation = RECIPE.augmentation()
    batches = CropBatches(part.images, part.indices, part.labels, len(part), augmentation, seed=seed, epoch=epoch)
    expected = open_model(trained).predict(batches[0][0], verbose=0)
    np.testing.assert_allclose(lessons.targets(3)[part.indices], expected, rtol=1e-3, atol=1e-3)


def test_several_teachers_are_averaged(trained, turned, data):
    chosen = ((trained,), (turned,), (trained, turned))
    one, other, both = (lessons_of(data, DistillSettings(teachers=paths, views=1)).targets(0) for paths in chosen)
    np.testing.assert_allclose(both, (one + other) / 2, rtol=1e-5, atol=1e-5)


def test_features_have_mean_0_and_deviation_1_over_the_training_crops(trained, data):
    settings = DistillSettings(teachers=(trained,), features=1.0, views=3)
    lessons = lessons_of(data, settings)
    features = lessons.targets(0)[prepare(data, SIZE).splits["train"], 3:]
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    live = features.std(axis=0) > 0.5
    assert live.sum() > 4
    np.testing.assert_allclose(features.std(axis=0)[live], 1, atol=1e-3)
    later = lessons_of(data, settings)  # taken up again in another epoch
    np.testing.assert_array_equal(later.targets(2), lessons.targets(2))


@pytest.mark.backends
def test_the_loss_is_that_of_the_papers_and_of_plain_labels_that_of_the_labels_alone():
    rng = np.random.default_rng(5)
    label, taught, features = np.array([0, 2, 1, 2]), rng.normal(0, 3, (4, 3)), rng.normal(size=(4, 5))
    logits, predicted = rng.normal(0, 3, (4, 3)), rng.normal(size=(4, 5))
    label_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = DistilledLoss(label_loss, 3, DistillSettings(temperature=2.5, hard_share=0.3, features=0.7))
    outputs = ops.convert_to_tensor(np.concatenate([logits, predicted], axis=1), "float32")
    found = loss.call(ops.convert_to_tensor(np.column_stack([label, taught, features]), "float32"), outputs)
    hard = -log_softmax(logits, axis=1)[np.arange(4), label]
    teacher, student = (log_softmax(values / 2.5, axis=1) for values in (taught, logits))
    soft = 2.5**2 * (np.exp(teacher) * (teacher - student)).sum(axis=1)
    norms = np.linalg.norm(features, axis=1) * np.linalg.norm(predicted, axis=1)
    alike = (features * predicted).sum(axis=1) / norms
    np.testing.assert_allclose(ops.convert_to_numpy(found), 0.3 * hard + 0.7 * soft + 0.7 * (1 - alike), rtol=1e-4)
    assert float(loss(label, outputs)) == pytest.approx(float(label_loss(label, outputs[:, :3])), rel=1e-6)


def test_loss_and_gradient_are_those_of_keras_and_finite_where_features_are_zero():
    if keras.backend.backend() != "torch":
        pytest.skip("takes gradients of torch")
    import torch

    rng, settings = np.random.default_rng(6), DistillSettings(temperature=4.0, hard_share=0.2, features=0.7)
    given = torch.tensor(np.column_stack([np.arange(8) % 3, rng.normal(0, 3, (8, 8))]), dtype=torch.float32)
    outputs = torch.tensor(rng.normal(0, 3, (8, 8)), dtype=torch.float32, requires_grad=True)
    label_loss = CrossEntropy([1, 1, 1])
    loss = DistilledLoss(label_loss, 3, settings)
    soft = LogitsDistillation(4.0, keras.losses.KLDivergence()).compute_loss(given[:, 1:4], outputs[:, :3])
    alike = FeatureDistillation(keras.losses.CosineSimilarity()).compute_loss(given[:, 4:], outputs[:, 3:])
    expected = 0.2 * label_loss(given[:, 0], outputs[:, :3]) + 0.8 * soft + 0.7 * (1 + alike)
    found = loss.call(given, outputs)
    torch.testing.assert_close(found.mean(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(*(torch.autograd.grad(value, outputs)[0] for value in (found.mean(), expected)))
    silent = torch.cat([outputs.detach()[:, :3], torch.zeros(8, 5)], dim=1).requires_grad_()
    loss.call(given, silent).mean().backward()
    assert torch.isfinite(silent.grad).all()


KNOWS = r"other\.keras: knows apple, pear, plum, but .* \(checks, dots, stripes\)"


@pytest.mark.parametrize(
    ("mixup", "teachers", "classes", "kind", "sentence"),
    [
        (0.2, ["any.keras"], 3, ConfigError, "mixup and cutmix"),
        (0.0, [], 3, ConfigError, "none is given"),
        (0.0, ["lost.keras"], 3, ModelError, r"lost\.keras: no such file"),
        (0.0, ["other.keras"], 3, ModelError, KNOWS),
        (0.0, ["net.keras"], 4, ModelError, "student net: does not end with a dense layer of 3 outputs"),
    ],
)
def test_mixing_a_missing_teacher_one_of_other_classes_and_another_student_are_refused(
    trained, data, tmp_path, mixup, teachers, classes, kind, sentence
):
    save_model(build(), tmp_path / "other.keras", ("apple", "pear", "plum"))
    shutil.copy(trained, tmp_path / "net.keras")
    settings = DistillSettings(teachers=tuple(tmp_path / name for name in teachers))
    recipe = dataclasses.replace(RECIPE, mixup=mixup)
    with pytest.raises(kind, match=sentence):
        distill(lambda: build_model(ROWS, SIZE, classes=classes), data, SIZE, recipe, settings, tmp_path / "run")
