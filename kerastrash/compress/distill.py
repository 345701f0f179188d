"""Trains a small net on what larger ones say (Hinton et al. 2015, arXiv:1503.02531).

Teacher and student see the same augmented view of a crop, each at its own size (Beyer et al. 2022, arXiv:2106.05237): a
view is drawn from (seed, epoch, index), whatever the size of the images. What a teacher says of a view, its logits and
its last features, is kept beside the decoded crops: other students, and a run that is taken up again, find it there.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kerastrash.augment.augmentation import Augmentation
from kerastrash.backends import inference_function
from kerastrash.compress.config import DistillSettings
from kerastrash.console import track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.errors import ConfigError, ModelError
from kerastrash.files import atomic_path, sha256
from kerastrash.models.saved import image_size, open_model
from kerastrash.scoring.evaluate import check_saved_classes
from kerastrash.training.batches import CropBatches
from kerastrash.training.fit import Training, train
from kerastrash.training.recipe import Recipe

BATCH = 32


@dataclass(frozen=True)
class Teacher:
    """A trained net and the data at its size."""

    path: Path
    model: keras.Model
    """Gives (batch, classes), or (batch, classes + features)."""
    dataset: Dataset
    folder: Path
    """Keeps what it says."""
    asked: tuple
    """What its answers depend on, but for the view: its file, the crops and which of them are asked about."""

    def outputs(self, augmentation: Augmentation, seed: int, epoch: int, keep: bool) -> np.ndarray:
        """What it says of the view (seed, epoch) of each training crop.

        Returns:
            float32 (n, what the model gives) by index in the cache; 0 for crops that are not in the training split.
        """
        key = hashlib.sha256(repr((*self.asked, augmentation, seed, epoch)).encode()).hexdigest()
        path = self.folder / f"{key[:24]}.npy"
        if path.exists():
            return np.load(path)
        part, run = self.dataset.split("train"), inference_function(self.model)
        batches = CropBatches(part.images, part.indices, part.labels, BATCH, augmentation, seed=seed, epoch=epoch)
        outputs = np.zeros((len(part.images), self.model.output_shape[1]), np.float32)
        for number in track(range(len(batches)), f"{self.path}, view {epoch}", f"batches of {BATCH}"):
            images, _ = batches[number]
            outputs[part.indices[number * BATCH : (number + 1) * BATCH]] = run(images)
        if keep:
            with atomic_path(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, outputs)
        return outputs


def open_teacher(path: Path, data: DataConfig, dataset: Dataset, features: bool) -> Teacher:
    """Opens a `.keras` file, for images of any one size, as a teacher of a student for `dataset`.

    Args:
        data: the settings of the data set, from which the crops at the teacher's size come.
        features: also the vector that enters its classifier.

    Raises:
        ModelError: the file cannot be opened, is for other classes, or has no dense classifier whose features could be
            taken.
    """
    model = open_model(path)
    size = image_size(model)
    check_saved_classes(model, path, dataset)
    own = dataset if size == dataset.input_size else prepare(data, size, track)
    if features:
        last = model.layers[-1]
        if not isinstance(last, keras.layers.Dense):
            raise ModelError(f"{path}: ends with {last.name}, not with a dense layer; distill without features")
        model = keras.Model(model.input, keras.layers.Concatenate(name="outputs")([model.output, last.input]))
    asked = (sha256(path), model.output_shape[1], own.fingerprint, size, own.split("train").indices.tolist())
    return Teacher(path, model, own, data.cache / "teachers", asked)


class DistilledLoss(keras.losses.Loss):
    """`hard_share * labels + (1 - hard_share) * logits + features * features` for each image.

    The logits' part is the Kullback-Leibler divergence at a temperature T, times T^2 (Hinton et al. 2015,
    arXiv:1503.02531); the features' part is one minus their cosine similarity.

    Takes y_true (batch, 1 + classes + d): label, teacher's logits, teacher's features; and y_pred (batch, classes + d):
    student's logits, predicted features. For plain labels (batch,), as in validation, it is the labels' loss.

    Args:
        label_loss: takes labels (batch,) and logits (batch, classes).
        classes: how many columns are logits.
    """

    def __init__(self, label_loss: keras.losses.Loss, classes: int, settings: DistillSettings):
        super().__init__(name="distilled_loss")
        self.label_loss, self.classes, self.settings = label_loss, classes, settings

    def call(self, y_true, y_pred):
        logits, predicted = y_pred[:, : self.classes], y_pred[:, self.classes :]
        if len(y_true.shape) == 1 or y_true.shape[-1] == 1:
            return self.label_loss.call(y_true, logits)
        label, taught, features = y_true[:, 0], y_true[:, 1 : 1 + self.classes], y_true[:, 1 + self.classes :]
        settings = self.settings
        soft = divergence(taught, logits, settings.temperature)
        loss = settings.hard_share * self.label_loss.call(label, logits) + (1 - settings.hard_share) * soft
        if settings.features:
            loss = loss + settings.features * (1 - ops.sum(direction(features) * direction(predicted), axis=-1))
        return loss


# Keras's losses of distillation would send constants to the device in each step, which waits for them.
def divergence(taught, logits, temperature: float):
    """The Kullback-Leibler divergence (batch,) of logits (batch, classes) from those taught, times temperature^2."""
    teacher, student = (ops.log_softmax(values / temperature, axis=-1) for values in (taught, logits))
    return temperature**2 * ops.sum(ops.exp(teacher) * (teacher - student), axis=-1)


def direction(features):
    """Features (batch, d) at length 1; where all are 0 they stay so, and their gradient is finite."""
    return features * ops.rsqrt(ops.sum(features * features, axis=-1, keepdims=True) + 1e-12)


class Lessons:
    """Teachers as the `supervision` of `kerastrash.training.fit.train`; several are averaged.

    Averaged logits are the geometric mean of the teachers' distributions; their features stand side by side, each
    brought to mean 0 and deviation 1 over the first view.
    """

    def __init__(self, teachers: Sequence[Teacher], augmentation: Augmentation, seed: int, settings: DistillSettings):
        self.teachers, self.augmentation, self.seed, self.settings = teachers, augmentation, seed, settings
        self.classes = len(teachers[0].dataset.classes)
        self._standard: tuple[np.ndarray, np.ndarray] | None = None

    def extend(self, net: keras.Model) -> keras.Model:
        """The student with a dense layer behind its features that predicts the teachers', where they are taught."""
        if not self.settings.features:
            return net
        taught = sum(teacher.model.output_shape[1] - self.classes for teacher in self.teachers)
        predicted = keras.layers.Dense(taught, dtype="float32", name="taught_features")(net.layers[-1].input)
        return keras.Model(net.input, keras.layers.Concatenate(name="taught")([net.output, predicted]), name=net.name)

    def draws(self, epoch: int) -> tuple[int, int]:
        """The seed and epoch that augmentation draws from in this epoch: one for all students where views are kept."""
        views = self.settings.views
        return (0, epoch % views) if views else (self.seed, epoch)

    def targets(self, epoch: int) -> np.ndarray:
        """float32 (n, classes + d): what the teachers say of the view of each crop in this epoch."""
        logits, features = self._said(*self.draws(epoch))
        if not self.settings.features:
            return logits
        if self._standard is None:
            first = features
            if self.draws(epoch) != self.draws(0):  # a run that is taken up again later
                _, first = self._said(*self.draws(0))
            taught = first[self.teachers[0].dataset.splits["train"]]
            self._standard = taught.mean(axis=0), np.maximum(taught.std(axis=0), 1e-6)
        mean, deviation = self._standard
        return np.concatenate([logits, (features - mean) / deviation], axis=1)

    def _said(self, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The mean of the teachers' logits, and their features side by side."""
        keep = bool(self.settings.views)
        said = [teacher.outputs(self.augmentation, seed, epoch, keep) for teacher in self.teachers]
        logits = np.mean([outputs[:, : self.classes] for outputs in said], axis=0)
        return logits, np.concatenate([outputs[:, self.classes :] for outputs in said], axis=1)

    def loss(self, label_loss: keras.losses.Loss) -> DistilledLoss:
        """The student's loss, around that of the labels."""
        return DistilledLoss(label_loss, self.classes, self.settings)


def distill(
    build: Callable[[], keras.Model],
    data: DataConfig,
    input_size: int,
    recipe: Recipe,
    settings: DistillSettings,
    folder: Path,
    description: str = "distilling",
) -> Training:
    """Trains the student that `build` returns by the recipe, taught by `settings.teachers`; goes on after a kill.

    Args:
        build: makes the student for images of `input_size` pixels, ending with a dense classifier.
        data: the data set; the teachers' crops come from it too, at their own sizes.
        folder: as in `kerastrash.training.fit.train`; its best.keras is the student alone.

    Raises:
        ModelError: a teacher cannot be opened or is for other classes, or the student has no dense classifier.
        ConfigError: the recipe mixes images, or no teacher is given.
        TrainingDiverged: the loss is not finite.
    """
    if not settings.teachers:
        raise ConfigError("teachers: none is given; name at least one trained .keras file")
    if recipe.mixing():
        raise ConfigError("mixup and cutmix: a teacher sees each crop alone; set them to 0 to distill")
    dataset = prepare(data, input_size, track)
    teachers = [open_teacher(path, data, dataset, settings.features > 0) for path in settings.teachers]
    lessons = Lessons(teachers, recipe.augmentation(), recipe.seed, settings)

    def student() -> keras.Model:
        net = build()
        if net.output_shape[1] != len(dataset.classes) or not isinstance(net.layers[-1], keras.layers.Dense):
            raise ModelError(f"student {net.name}: does not end with a dense layer of {len(dataset.classes)} outputs")
        return net

    return train(student, dataset, recipe, folder, description=description, supervision=lessons)
