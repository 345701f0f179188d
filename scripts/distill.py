"""Trains a small net on what larger ones say, and scores it on the test split.

python scripts/distill.py --teachers runs/lite0/best.keras --net mobilenetv3_79 --input_size 96 --data DIR
python scripts/distill.py --teacher_weights efficientnet_lite0 --net student.yaml --alone --data DIR
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import kerastrash.default_backend  # noqa: F401  before Keras is imported
from kerastrash.cli import part_of, run
from kerastrash.compress.config import DistillConfig, DistillSettings
from kerastrash.compress.costs import model_parameters
from kerastrash.compress.distill import distill
from kerastrash.console import results, track
from kerastrash.data import DataConfig, prepare
from kerastrash.models import build_model
from kerastrash.models.pretrained import find_pretrained, pretrained_model
from kerastrash.models.saved import image_size, open_model
from kerastrash.reports.data_tables import print_summary
from kerastrash.runs import FREE_SETTINGS, open_run
from kerastrash.scoring.evaluate import evaluate
from kerastrash.training.fit import Training, train
from kerastrash.training.recipe import Recipe


def main(config: DistillConfig) -> None:
    """Train a small net on what larger ones say; the same command after a kill goes on from the last epoch."""
    data, recipe = part_of(DataConfig, config), part_of(Recipe, config)
    with open_run(config.folder, config, free=FREE_SETTINGS):
        dataset = prepare(data, config.input_size, track)
        print_summary(dataset)
        teachers = (*config.teachers, *(tuned.model for tuned in tune_teachers(config, data)))
        settings = dataclasses.replace(part_of(DistillSettings, config), teachers=teachers)

        def build():
            return build_model(config.net, config.input_size, len(dataset.classes), config.width, config.depth)

        trained = {"distilled": distill(build, data, config.input_size, recipe, settings, config.folder)}
        if config.alone:
            trained["alone"] = train(build, dataset, recipe, config.folder / "alone", description="training alone")
        for teacher in teachers:
            say(f"teacher {teacher}", teacher, data)
        for name, training in trained.items():
            say(f"student {name} ({training.model})", training.model, data)


def tune_teachers(config: DistillConfig, data: DataConfig) -> Iterator[Training]:
    """Fine-tunes the pretrained teachers, each in a folder of its own in the run."""
    for weights in config.teacher_weights:
        known = find_pretrained(weights)
        size = config.teacher_size or known.input_size
        dataset = prepare(data, size, track)
        yield train(
            lambda weights=weights, size=size, dataset=dataset: pretrained_model(weights, size, len(dataset.classes)),
            dataset,
            config.teacher_recipe,
            config.folder / f"teacher-{known.name}",
            description=f"fine-tuning teacher {known.name}",
        )


def say(what: str, path: Path, data: DataConfig) -> None:
    """Prints a model's size and its macro F1 on the validation and test splits."""
    model = open_model(path)
    dataset = prepare(data, image_size(model), track)
    val, test = (evaluate(model, dataset.part(name)).macro_f1 for name in ("val", "test"))
    parameters = model_parameters(model)
    results().print(
        f"[bold]{what}[/]: {parameters:,} parameters, macro F1 {val:.4f} on the validation split, {test:.4f} on the "
        "test split",
        soft_wrap=True,
    )


if __name__ == "__main__":
    run(main)
