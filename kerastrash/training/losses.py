"""Losses from logits and integer or soft labels, one of them for imbalanced classes."""

import keras
import numpy as np
from keras import ops

from kerastrash.training.recipe import Recipe


@keras.saving.register_keras_serializable("kerastrash")
class LogitAdjustedCrossEntropy(keras.losses.Loss):
    """Cross entropy of `logits + tau * log(prior)` (Menon et al. 2021, arXiv:2007.07314, equation 10).

    Rare classes get a larger margin during training; inference uses the plain logits.

    Args:
        priors: the classes' frequencies in the training set; positive, rescaled to sum to 1.
        tau: strength of the adjustment; 0 is plain cross entropy.
    """

    def __init__(self, priors, tau: float = 1.0, name: str = "logit_adjusted_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.priors = [float(p) for p in np.asarray(priors, "float64") / np.sum(priors)]
        self.tau = tau

    @property
    def adjustment(self) -> np.ndarray:
        """What is added to the logits: (classes,) float64."""
        return self.tau * np.log(self.priors)

    def call(self, y_true, y_pred):
        adjustment = ops.convert_to_tensor(self.adjustment, dtype=y_pred.dtype)
        if len(y_true.shape) == 2 and y_true.shape[-1] == len(self.priors):  # soft labels, one share a class
            return ops.categorical_crossentropy(ops.cast(y_true, y_pred.dtype), y_pred + adjustment, from_logits=True)
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        return ops.sparse_categorical_crossentropy(labels, y_pred + adjustment, from_logits=True)

    def get_config(self) -> dict:
        return {**super().get_config(), "priors": self.priors, "tau": self.tau}


def recipe_loss(recipe: Recipe, labels: np.ndarray, classes: int) -> LogitAdjustedCrossEntropy:
    """The loss of a recipe; `labels` are the training labels, whose frequencies are the priors.

    Takes integer labels, or soft ones (batch, classes) where the recipe mixes images. A class without a training image
    counts as one image, so that its logarithm is finite.
    """
    counts = np.bincount(labels, minlength=classes)
    return LogitAdjustedCrossEntropy(np.maximum(counts, 1), recipe.tau if recipe.loss == "logit_adjusted" else 0.0)
