"""Moves a trained classifier towards frequent or rare classes, by as much as macro F1 on the validation split asks for.

Post-hoc logit adjustment (Menon et al. 2021, arXiv:2007.07314, equation 9; their tau is minus the share here). A net
trained on the adjusted loss weighs all classes alike, which names rare ones too often for the best F1: here it gets
back as much of the frequencies as helps. A net trained on the plain loss may lose some.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kerastrash.console import track
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ModelError
from kerastrash.export.keras_file import keras_runtime
from kerastrash.metrics import class_counts
from kerastrash.models.saved import image_size, open_model, save_model
from kerastrash.scoring.evaluate import Evaluation, check_saved_classes, judge, logits_of

SHARES = tuple(tenth / 10 for tenth in range(-10, 11))
"""Shares of the log frequencies that are tried: -1 takes them all away, 0 changes nothing, 1 adds them once."""


@dataclass(frozen=True)
class Adjustment:
    """How a model was adjusted, and what that did."""

    classes: tuple[str, ...]
    frequencies: tuple[float, ...]
    """Shares of the classes among the training images; they sum to 1."""
    share: float
    """The one of `SHARES` that was chosen: `share * log(frequency)` is added to each class's logit."""
    val_f1: tuple[float, ...]
    """Macro F1 on the validation split for each of `SHARES`."""
    test_f1: tuple[float, ...]
    """Macro F1 on the test split, by which nothing is decided."""
    before: Evaluation
    """The test split, by the model as it was."""
    after: Evaluation

    @property
    def chosen(self) -> int:
        """The index of `share` in `SHARES`."""
        return SHARES.index(self.share)


def adjust(source: Path, data: DataConfig, path: Path) -> Adjustment:
    """Chooses the share by macro F1 on the validation split and writes the adjusted model; the net stays stock layers.

    Args:
        source: a trained `.keras` file whose last layer is a dense one of logits.
        data: what the model was trained on, split as it was then.
        path: receives the adjusted `.keras` file.

    Raises:
        ModelError: the model cannot be opened, is for other classes, or does not end in logits with a bias.
        DataError: the data cannot be used.
    """
    model = open_model(source)
    dataset = prepare(data, image_size(model), track)
    check_saved_classes(model, source, dataset)
    last = model.layers[-1]
    if not (isinstance(last, keras.layers.Dense) and last.use_bias and last.activation is keras.activations.linear):
        raise ModelError(
            f"{source}: ends in {last.name} ({type(last).__name__}); to be adjusted it must end in a Dense layer of "
            "logits with a bias, without softmax"
        )
    counts = class_counts(dataset.split("train").labels, len(dataset.classes))
    frequencies = counts / counts.sum()
    judged = []
    for part in (dataset.split("val"), dataset.split("test")):
        logits = logits_of(keras_runtime(model), part)
        judged.append([judge(part.labels, logits + share * np.log(frequencies)) for share in SHARES])
    val_f1, test_f1 = (tuple(each.macro_f1 for each in evaluations) for evaluations in judged)
    share = best_share(val_f1)
    last.bias.assign_add(share * np.log(frequencies))
    save_model(model, path, dataset.classes)
    before, after = (judged[1][SHARES.index(each)] for each in (0, share))
    return Adjustment(dataset.classes, tuple(frequencies.tolist()), share, val_f1, test_f1, before, after)


def best_share(f1: tuple[float, ...]) -> float:
    """The one of `SHARES` with the highest F1; of equal ones that nearest to 0."""
    return max(zip(f1, SHARES, strict=True), key=lambda pair: (pair[0], -abs(pair[1])))[1]
