"""What a student is taught beside its labels: the form in which a training takes teachers."""

from collections.abc import Sequence

import keras
import numpy as np

from kerastrash.compress.distillation.config import DistilSettings
from kerastrash.compress.distillation.loss import DistilledLoss
from kerastrash.compress.distillation.teachers import Teacher
from kerastrash.data.augment import Augmentation

VIEW_SEED = 0
"""Of views that are kept: the same for all students, so that they share them."""


class Lessons:
    """Teachers as the `supervision` of `kerastrash.training.fit.train`; several are averaged.

    Averaged logits are the geometric mean of the teachers' distributions; their features stand side by side, each
    brought to mean 0 and deviation 1 over the first view.
    """

    def __init__(self, teachers: Sequence[Teacher], augmentation: Augmentation, seed: int, settings: DistilSettings):
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
