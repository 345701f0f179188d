"""How right a net is on a split of a data set, and whether it was made for its classes."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kerastrash.data import Dataset, SplitData
from kerastrash.errors import ModelError
from kerastrash.export.format import Description, OpenNet, softmax
from kerastrash.export.keras_file import keras_runtime
from kerastrash.metrics import class_f1, confusion_matrix
from kerastrash.models.saved import read_description


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
