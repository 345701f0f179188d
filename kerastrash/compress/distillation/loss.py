"""The loss of a student: labels, teacher's logits, teacher's features; Keras's own distillation losses under it."""

import keras
from keras.distillation import FeatureDistillation, LogitsDistillation


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
