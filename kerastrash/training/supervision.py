"""What a net can be trained on beside its labels: the interface between a training and whoever supervises it."""

from typing import Protocol

import keras
import numpy as np


class Supervision(Protocol):
    """Targets for each crop, such as a teacher's logits; the net's labels stay in the first column.

    A crop's row of targets joins its label, as y_true (batch, 1 + k), and the model that is trained gives the net's
    logits and what else is to meet the targets, as y_pred (batch, classes + more).
    """

    def extend(self, net: keras.Model) -> keras.Model:
        """The model that is trained: the net's input, (batch, classes + more) whose first columns are its logits.

        It shares the net's layers; it may have further ones, which end with the training.
        """

    def draws(self, epoch: int) -> tuple[int, int]:
        """The seed and the epoch that the augmentation of this epoch is drawn from.

        With (seed, epoch % views) the crops look alike every so many epochs, and what is said of them can be kept.
        """

    def targets(self, epoch: int) -> np.ndarray:
        """float32 (n, k) for the n crops of the cache, by their index there; 1 + k is not the number of classes.

        Asked for when an epoch begins, and for epoch 0 when the batches are made, whichever epoch comes next.
        """

    def loss(self, label_loss: keras.losses.Loss) -> keras.losses.Loss:
        """The loss of the training, from that of the labels alone.

        Its `call` takes float32 y_true (batch, 1 + k), or plain labels (batch,) in validation, with y_pred (batch,
        classes + more), and returns (batch,). On a GPU it is to bring no constants from the host: see `CrossEntropy`.
        """
