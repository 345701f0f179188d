"""Trains one net by the contest's recipe, or fine-tunes one that has learned before, and scores it on the test split.

python scripts/train.py --net mobilenetv3_79 --input_size 156 --data annotations.json
python scripts/train.py --weights efficientnet_lite0 --learning_rate 0.01 --backbone_rate 0.1 --data DIR
python scripts/train.py --net runs/first/best.keras --freeze 4 --norms frozen --data DIR
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import kerastrash.default_backend  # noqa: F401  before Keras is imported

# isort: split
import keras

from kerastrash.cli import part_of, run
from kerastrash.console import results, track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.errors import ConfigError
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.models.pretrained import find_pretrained, pretrained_model
from kerastrash.models.saved import image_size, open_model
from kerastrash.reports.data_tables import print_summary
from kerastrash.runs import FREE_SETTINGS, open_run
from kerastrash.scoring.evaluate import evaluate
from kerastrash.scoring.report import check_saved_classes
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

NET, INPUT_SIZE = "mobilenetv3_79", 156


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Recipe, DataConfig):
    """One net, one recipe, one data set."""

    net: str | None = None
    """Preset, .yaml file of rows, or .keras file to fine-tune; left out, mobilenetv3_79, or the net of the weights."""
    weights: str | None = None
    """Pretrained weights to fine-tune: a registered name, NAME=FILE, or a hub address."""
    input_size: int | None = None
    """Side of the net's square input in pixels; left out, 156, or that of the .keras file or the weights."""
    width: float = 1.0
    """Width multiplier of a net from scratch."""
    depth: float = 1.0
    """Depth multiplier of a net from scratch."""
    name: str | None = None
    """Name of the run's folder; left out, that of the net."""
    runs: Path = Path("runs")
    """Folder of all runs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights and self.net:
            raise ConfigError(f"net={self.net} and weights={self.weights}: the weights bring their net; give one")
        if (self.weights or self.saved) and (self.width, self.depth) != (1.0, 1.0):
            raise ConfigError(f"width={self.width}, depth={self.depth}: only a net from scratch can be scaled; leave 1")

    @property
    def saved(self) -> Path | None:
        """The model that is fine-tuned; None where the net is another."""
        return Path(self.net) if self.net and Path(self.net).suffix == ".keras" else None


def main(config: TrainConfig) -> None:
    """Train a net by the contest's recipe; the same command after a kill goes on from the last epoch."""
    folder = config.runs / (config.name or f"train-{usual_name(config)}")
    size = input_size(config)
    with open_run(folder, config, free=FREE_SETTINGS):
        dataset = prepare(part_of(DataConfig, config), size, track)
        print_summary(dataset)
        training = train(builder(config, size, dataset), dataset, part_of(Recipe, config), folder)
        test = evaluate(open_model(training.model), dataset.part("test"))
    results().print(
        f"[bold]{training.model}[/]: macro F1 {training.f1:.4f} on the validation split "
        f"(epoch {training.best_epoch} of {training.epochs}), {test.macro_f1:.4f} on the test split",
        soft_wrap=True,
    )


def usual_name(config: TrainConfig) -> str:
    """That of the weights, or of the net."""
    return find_pretrained(config.weights).name if config.weights else Path(config.net or NET).stem


def input_size(config: TrainConfig) -> int:
    """The side of the images: what is asked for, or what the net was trained on."""
    if config.saved:
        size = image_size(open_model(config.saved))
        if config.input_size not in (None, size):
            raise ConfigError(f"input_size={config.input_size}: {config.saved} takes {size} px; leave it out")
        return size
    if config.input_size is not None:
        return config.input_size
    return find_pretrained(config.weights).input_size if config.weights else INPUT_SIZE


def builder(config: TrainConfig, size: int, dataset: Dataset) -> Callable[[], keras.Model]:
    """What makes the net, its weights drawn or loaded."""
    classes = len(dataset.classes)
    if config.weights:
        return lambda: pretrained_model(config.weights, size, classes)
    if config.saved:
        return lambda: in_policy(opened(config.saved, dataset), config.dtype_policy)
    return lambda: build_model(config.net or NET, size, classes, config.width, config.depth)


def opened(path: Path, dataset: Dataset) -> keras.Model:
    """The saved model, if it was made for the classes of the data."""
    model = open_model(path)
    check_saved_classes(model, path, dataset)
    return model


if __name__ == "__main__":
    run(main)
