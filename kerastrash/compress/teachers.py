"""What teachers say of the training crops: their logits, and their last features, of each augmented view.

A view is the crop as augmentation draws it from (seed, epoch, index). The draws do not depend on the size of the
images, so each teacher sees at its own size what the student sees at its own. What a teacher says of a view is kept
beside the decoded crops, so that other students, and a run that is taken up again, find it there.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kerastrash.augment.augmentation import Augmentation
from kerastrash.backends import inference_function
from kerastrash.console import track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.errors import ModelError
from kerastrash.files import atomic_path, sha256
from kerastrash.models.saved import image_size, open_model
from kerastrash.scoring.evaluate import check_saved_classes
from kerastrash.training.batches import CropBatches

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

    @property
    def columns(self) -> int:
        """How many numbers it says of a crop."""
        return self.model.output_shape[1]

    @functools.cached_property
    def _key(self) -> tuple:
        """What its answers depend on, but for the view: its file, the crops and which of them are asked about."""
        part = self.dataset.split("train")
        asked = (sha256(self.path), self.columns, self.dataset.fingerprint, self.dataset.input_size)
        return (*asked, part.indices.tolist())

    def outputs(self, augmentation: Augmentation, seed: int, epoch: int, keep: bool) -> np.ndarray:
        """What it says of the view (seed, epoch) of each training crop.

        Returns:
            float32 (n, columns) by index in the cache; rows of crops that are not in the training split are 0.
        """
        key = hashlib.sha256(repr((*self._key, augmentation, seed, epoch)).encode()).hexdigest()
        path = self.folder / f"{key[:24]}.npy"
        if path.exists():
            return np.load(path)
        outputs = self._compute(augmentation, seed, epoch)
        if keep:
            with atomic_path(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, outputs)
        return outputs

    def _compute(self, augmentation: Augmentation, seed: int, epoch: int) -> np.ndarray:
        part, run = self.dataset.split("train"), inference_function(self.model)
        batches = CropBatches(part.images, part.indices, part.labels, BATCH, augmentation, seed=seed, epoch=epoch)
        outputs = np.zeros((len(part.images), self.columns), np.float32)
        for number in track(range(len(batches)), f"{self.path}, view {epoch}", f"batches of {BATCH}"):
            images, _ = batches[number]
            outputs[part.indices[number * BATCH : (number + 1) * BATCH]] = run(images)
        return outputs


def open_teacher(path: Path, data: DataConfig, dataset: Dataset, features: bool) -> Teacher:
    """Opens a trained net as a teacher of a student for `dataset`.

    Args:
        path: a `.keras` file for images of any one size.
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
    return Teacher(path, with_features(model, path) if features else model, own, data.cache / "teachers")


def with_features(model: keras.Model, path: Path | str) -> keras.Model:
    """The model with the vector that enters its last dense layer joined to its logits: (batch, classes + d)."""
    classifier = model.layers[-1]
    if not isinstance(classifier, keras.layers.Dense):
        raise ModelError(f"{path}: ends with {classifier.name}, not with a dense layer; distill without features")
    return keras.Model(model.input, keras.layers.Concatenate(name="outputs")([model.output, classifier.input]))
