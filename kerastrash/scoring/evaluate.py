"""How right a net is on a split of a data set, and how much more so when it is moved towards frequent or rare classes.

That is post-hoc logit adjustment (Menon et al. 2021, arXiv:2007.07314, equation 9; their tau is minus the share
here). A net trained on the adjusted loss weighs all classes alike, which names rare ones too often for the best F1:
here it gets back as much of the frequencies as helps. A net trained on the plain loss may lose some.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kerastrash.console import track
from kerastrash.data import DataConfig, Dataset, SplitData, prepare
from kerastrash.errors import ModelError
from kerastrash.export.format import Description, OpenNet, softmax
from kerastrash.export.keras_file import keras_runtime
from kerastrash.metrics import class_counts, class_f1, confusion_matrix
from kerastrash.models.saved import image_size, open_model, read_description, save_model

SHARES = tuple(tenth / 10 for tenth in range(-10, 11))
"""Shares of the log frequencies that are tried: -1 takes them all away, 0 changes nothing, 1 adds them once."""


@dataclass(frozen=True)
class Evaluation:
    """Predictions and what follows from them."""

    labels: np.ndarray
    """(n,) int64."""
    predicted: np.ndarray
    """(n,) int64: the class of the largest output."""
    certainty: np.ndarray
    """(n,) float32 in [0, 1]: the probability that the net gives that class."""
    confusion: np.ndarray
    """(classes, classes) int64: true class by row, predicted class by column."""
    class_f1: np.ndarray
    """(classes,) float64 in [0, 1]; 0 for a class that is neither present nor predicted."""

    @property
    def macro_f1(self) -> float:
        """The mean of the classes' F1, as scikit-learn gives it for all classes with zero_division=0."""
        return float(self.class_f1.mean())


def evaluate(model: keras.Model | OpenNet, part: SplitData, batch: int = 64) -> Evaluation:
    """Classifies every image of a split.

    Args:
        model: a net for images of the split's size, as a model or already open in a runtime.
        batch: images at a time; changes the time this takes, not the answer.

    Raises:
        ModelError: the labels go beyond the net's outputs, or these are not finite.
    """
    net = keras_runtime(model) if isinstance(model, keras.Model) else model
    return judge(part.labels, logits_of(net, part, batch), net.description.softmax)


def judge(labels: np.ndarray, logits: np.ndarray, probabilities: bool = False) -> Evaluation:
    """What outputs (n, classes) are worth for images of known labels (n,).

    Args:
        probabilities: the outputs are these, and no logits.

    Raises:
        ModelError: a label goes beyond the outputs.
    """
    classes = logits.shape[1]
    if labels.max() >= classes:
        raise ModelError(
            f"the model gives {classes} outputs and the data has label {labels.max()}: "
            "give a model trained for the classes of this data"
        )
    predicted = logits.argmax(axis=1).astype("int64")
    confusion = confusion_matrix(labels, predicted, classes)
    certainty = (logits if probabilities else softmax(logits)).max(axis=1).astype("float32")
    return Evaluation(np.asarray(labels, "int64"), predicted, certainty, confusion, class_f1(confusion))


def logits_of(net: OpenNet, part: SplitData, batch: int = 64) -> np.ndarray:
    """The net's outputs, logits as a rule, for every image of a split, float32 (n, classes).

    Raises:
        ModelError: they are not finite.
    """
    starts = range(0, len(part), batch)
    logits = np.concatenate([net(np.asarray(part.images[part.indices[start : start + batch]])) for start in starts])
    if bad := int((~np.isfinite(logits).all(axis=1)).sum()):
        raise ModelError(f"the model's logits are not finite on {bad} of {len(logits)} images: train it anew")
    return logits


def check_classes(outputs: int, description: Description, dataset: Dataset, path: Path) -> None:
    """Raises ModelError where the net of the file `path` was made for other classes than the data's."""
    wanted = f"{dataset.name} has {len(dataset.classes)} classes ({', '.join(dataset.classes)})"
    if outputs != len(dataset.classes):
        raise ModelError(f"{path}: gives {outputs} outputs, but {wanted}: give a model trained for this data")
    names = description.classes
    if names and names != tuple(dataset.classes):
        raise ModelError(f"{path}: knows {', '.join(names)}, but {wanted}: give a model trained for this data")


def check_saved_classes(model: keras.Model, path: Path, dataset: Dataset) -> None:
    """Raises ModelError where the model of the `.keras` file `path` was made for other classes than the data's."""
    check_classes(model.output_shape[1], Description.from_json(read_description(path), path), dataset, path)


@dataclass(frozen=True)
class Adjustment:
    """How a model was adjusted, and what each of `SHARES` did."""

    classes: tuple[str, ...]
    frequencies: tuple[float, ...]
    """Shares of the classes among the training images; they sum to 1."""
    val: tuple[Evaluation, ...]
    """The validation split, with each share."""
    test: tuple[Evaluation, ...]
    """The test split, by which nothing is decided."""
    chosen: int
    """The index of the share that is kept: `share * log(frequency)` is added to each class's logit."""

    @property
    def share(self) -> float:
        return SHARES[self.chosen]


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
        judged.append(tuple(judge(part.labels, logits + share * np.log(frequencies)) for share in SHARES))
    chosen = best_share([evaluation.macro_f1 for evaluation in judged[0]])
    last.bias.assign_add(SHARES[chosen] * np.log(frequencies))
    save_model(model, path, dataset.classes)
    return Adjustment(dataset.classes, tuple(frequencies.tolist()), *judged, chosen)


def best_share(f1: Sequence[float]) -> int:
    """The index of the one of `SHARES` with the highest F1; of equal ones that nearest to 0."""
    return max(range(len(SHARES)), key=lambda index: (f1[index], -abs(SHARES[index])))
