"""Trains a small net on what larger ones say (Hinton et al. 2015, arXiv:1503.02531).

Teacher and student see the same augmented view of a crop, each at its own size (Beyer et al. 2022, arXiv:2106.05237).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from keras.distillation import FeatureDistillation, LogitsDistillation

from kerastrash.augment.augmentation import Augmentation
from kerastrash.compress.config import DistillSettings
from kerastrash.compress.teachers import Teacher, open_teacher
from kerastrash.console import track
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError, ModelError
from kerastrash.training.fit import Training, train
from kerastrash.training.recipe import Recipe


class DistilledLoss(keras.losses.Loss):
    """`hard_share * labels + (1 - hard_share) * logits + features * features`, each a mean over the batch.

    The logits' part is the Kullback-Leibler divergence at a temperature T, times T^2 (Hinton et al. 2015,
    arXiv:1503.02531); the features' part is one minus their cosine similarity.

    Takes y_true (batch, 1 + classes + d): label, teacher's logits, teacher's features; and y_pred (batch, classes + d):
    student's logits, predicted features. For plain labels (batch,), as in validation, it is the labels' loss.

    Args:
        label_loss: takes labels (batch,) and logits (batch, classes).
        classes: how many columns are logits.
        features: weight of the features' part; 0 where y_true and y_pred hold none.
    """

    def __init__(
        self,
        label_loss: keras.losses.Loss,
        classes: int,
        temperature: float,
        hard_share: float,
        features: float = 0.0,
        name: str = "distilled_loss",
    ):
        super().__init__(name=name)
        self.label_loss, self.classes, self.hard_share, self.features = label_loss, classes, hard_share, features
        # an instance: by its name, which is the default, Keras 3.15 takes the divergence of the bare logits
        self.logits_loss = LogitsDistillation(temperature, keras.losses.KLDivergence())
        self.features_loss = FeatureDistillation(keras.losses.CosineSimilarity())

    def call(self, y_true, y_pred):
        logits = y_pred[:, : self.classes]
        if len(y_true.shape) == 1 or y_true.shape[-1] == 1:
            return self.label_loss.call(y_true, logits)
        given, taught = y_true[:, 0], y_true[:, 1:]
        loss = self.hard_share * keras.ops.mean(self.label_loss.call(given, logits))
        soft = self.logits_loss.compute_loss(taught[:, : self.classes], logits)
        loss = loss + (1 - self.hard_share) * soft
        if self.features:
            alike = self.features_loss.compute_loss(taught[:, self.classes :], y_pred[:, self.classes :])
            loss = loss + self.features * (1 + alike)  # Keras's similarity is negative: -1 for equal directions
        return loss


VIEW_SEED = 0
"""The seed of views that are kept: the same for all students, so that they share them."""


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
        taught = sum(teacher.columns - self.classes for teacher in self.teachers)
        predicted = keras.layers.Dense(taught, dtype="float32", name="taught_features")(net.layers[-1].input)
        return keras.Model(net.input, keras.layers.Concatenate(name="taught")([net.output, predicted]), name=net.name)

    def draws(self, epoch: int) -> tuple[int, int]:
        """The seed and epoch that augmentation draws from in this epoch."""
        views = self.settings.views
        return (VIEW_SEED, epoch % views) if views else (self.seed, epoch)

    def targets(self, epoch: int) -> np.ndarray:
        """float32 (n, classes + d): what the teachers say of the view of each crop in this epoch."""
        said = self._said(*self.draws(epoch))
        logits = np.mean([outputs[:, : self.classes] for outputs in said], axis=0)
        if not self.settings.features:
            return logits
        features = np.concatenate([outputs[:, self.classes :] for outputs in said], axis=1)
        mean, deviation = self._standards(features, epoch)
        return np.concatenate([logits, (features - mean) / deviation], axis=1)

    def loss(self, label_loss: keras.losses.Loss) -> DistilledLoss:
        """The student's loss, around that of the labels."""
        settings = self.settings
        return DistilledLoss(label_loss, self.classes, settings.temperature, settings.hard_share, settings.features)

    def _said(self, seed: int, epoch: int) -> list[np.ndarray]:
        keep = bool(self.settings.views)
        return [teacher.outputs(self.augmentation, seed, epoch, keep) for teacher in self.teachers]

    def _standards(self, features: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the features of the first epoch's view; also where a run is taken up again later."""
        if self._standard is None:
            if self.draws(epoch) != self.draws(0):
                first = self._said(*self.draws(0))
                features = np.concatenate([outputs[:, self.classes :] for outputs in first], axis=1)
            taught = features[self.teachers[0].dataset.splits["train"]]
            self._standard = taught.mean(axis=0), np.maximum(taught.std(axis=0), 1e-6)
        return self._standard


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
