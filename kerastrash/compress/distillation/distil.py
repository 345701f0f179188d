"""Trains a small net on what larger ones say (Hinton et al. 2015, arXiv:1503.02531).

Teacher and student see the same augmented view of a crop, each at its own size (Beyer et al. 2022, arXiv:2106.05237).
"""

from collections.abc import Callable
from pathlib import Path

import keras

from kerastrash.compress.distillation.config import DistilSettings
from kerastrash.compress.distillation.lessons import Lessons
from kerastrash.compress.distillation.teachers import open_teacher
from kerastrash.data import DataConfig, prepare
from kerastrash.errors import ConfigError, ModelError
from kerastrash.training.fit import Training, train
from kerastrash.training.recipe import Recipe


def distil(
    build: Callable[[], keras.Model],
    data: DataConfig,
    input_size: int,
    recipe: Recipe,
    settings: DistilSettings,
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
        raise ConfigError("mixup and cutmix: a teacher sees each crop alone; set them to 0 to distil")
    dataset = prepare(data, input_size)
    teachers = [open_teacher(path, data, dataset, settings.features > 0) for path in settings.teachers]
    lessons = Lessons(teachers, recipe.augmentation(), recipe.seed, settings)

    def student() -> keras.Model:
        net = build()
        if net.output_shape[1] != len(dataset.classes) or not isinstance(net.layers[-1], keras.layers.Dense):
            raise ModelError(f"student {net.name}: does not end with a dense layer of {len(dataset.classes)} outputs")
        return net

    return train(student, dataset, recipe, folder, description=description, supervision=lessons)
