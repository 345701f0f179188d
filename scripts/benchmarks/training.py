"""Training steps: stock Keras, this project's path and plain PyTorch, side by side on one machine.

python scripts/benchmarks/training.py --peer FOLDER --peer-python FOLDER/bin/python
python scripts/benchmarks/training.py --until 2 --input-size 156    # two epochs of the full recipe, the rest projected

First the losses of stock Keras and of the fast path, step by step from the same weights on the same batches, with a
picture of both curves. Then images a second of a step, each way in a process of its own, in turns. The peer is a folder
with a `train_peer.py` that takes --compute-only; with --data it is also run end to end, decoding and augmentation
included, and compared with `train` from the second epoch on.
"""

import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from turns import answer, in_turns, show

from kerastrash.backends import device_description, limited_threads, set_tf32, synchronise, training_model
from kerastrash.cli import script
from kerastrash.console import console, results, track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.data.sources import SAMPLE_FOLDER
from kerastrash.errors import ConfigError
from kerastrash.files import atomic_path, read_csv
from kerastrash.models import build_model
from kerastrash.processes import Child
from kerastrash.settings import from_dict, to_dict
from kerastrash.training.fit import compile_by_recipe, train
from kerastrash.training.recipe import Recipe

Way = Literal["stock", "fast"]


@dataclass(frozen=True, kw_only=True)
class TrainingBenchmark:
    """What is trained and timed, and what it is compared with."""

    net: str = "mobilenetv3_79"
    """Preset, or a .yaml file of rows."""
    input_size: int = 96
    """Side of the images in pixels."""
    peer: Path | None = None
    """Folder of the peer's train_peer.py."""
    peer_python: Path | None = None
    """Python of the peer's environment."""
    peer_net: str | None = None
    """The peer's name of the net; left out, ours."""
    turns: int = 3
    """How often each way is run, one after the other."""
    steps: int = 12
    """Timed steps a turn, of which the first two do not count."""
    compared_steps: int = 50
    """Steps whose losses are compared; 0 leaves that out."""
    end_to_end: bool = False
    """Also run both from the photographs of --data on, two epochs a turn; the second counts."""
    picture: Path | None = None
    """Where the curves are drawn, a .png file."""
    until: int | None = None
    """In place of all that: train by the recipe on synthetic crops for so many epochs and project all from them."""
    training_crops: int = 18766
    """Those crops: nine tenths of the contest's 20,851."""
    validation_crops: int = 2085
    """Crops to validate on after each epoch of the recipe."""
    data: DataConfig = field(default_factory=DataConfig)
    """The data of both, end to end."""
    recipe: Recipe = field(default_factory=Recipe)
    """Of a step, its batch size, loss and precision; with a 16-bit dtype policy the peer is run with --amp."""

    @property
    def conditions(self) -> str:
        """Net, size, batch and precision."""
        return f"{self.net}, {self.input_size} px, batch {self.recipe.batch_size}, {self.recipe.dtype_policy}"


def main(config: TrainingBenchmark) -> None:
    """Time training steps beside stock Keras and plain PyTorch, after comparing the losses of the first two."""
    if keras.backend.backend() != "torch":
        raise ConfigError("KERAS_BACKEND is not torch: only there does the fast path differ from stock Keras")
    set_tf32(True)
    if config.until:
        crops = config.training_crops + config.validation_crops
        console.print(f"making {crops:,} crops of {config.input_size} px")
        results().print(full_recipe(config), soft_wrap=True)
        return
    if config.compared_steps:
        compare(config)
    ways = {"stock Keras": partial(measured, config, "stock"), "kerastrash": partial(measured, config, "fast")}
    if config.peer:
        ways["peer"] = partial(peer, config, "--compute-only")
    against = "peer" if config.peer else "stock Keras"
    show(f"training step: {config.conditions}", in_turns(ways, config.turns), against)
    if config.end_to_end and config.peer:
        with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
            ways = {"kerastrash": partial(end_to_end, config, folder), "peer": partial(peer, config, "--epochs=2")}
            show(f"end to end, second epoch: {config.conditions}", in_turns(ways, config.turns), against)


def made(config: TrainingBenchmark, way: Way) -> tuple[keras.Model, Dataset]:
    """The compiled net, its weights the same every time, and what it is trained on."""
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(config.recipe.dtype_policy)
    dataset = synthetic_dataset(8 * config.recipe.batch_size, 1, config.input_size)
    net = build_model(config.net, config.input_size)
    model = training_model(net) if way == "fast" else net
    compile_by_recipe(model, dataset, config.recipe, steps=1000)
    model.reset_metrics()
    return model, dataset


def batch(config: TrainingBenchmark, dataset: Dataset, number: int) -> tuple[Any, Any]:
    """Images and labels, another of eight batches each time."""
    rows = np.arange(config.recipe.batch_size) + number % 8 * config.recipe.batch_size
    return ops.convert_to_tensor(dataset.images[rows]), ops.convert_to_tensor(dataset.labels[rows])


def compare(config: TrainingBenchmark) -> None:
    """Prints how far the losses of the two paths are apart, and draws them.

    Rounding grows from step to step in any training, so stock Keras is also compared with itself on one thread, which
    adds in another order.
    """
    stock, fast = losses(config, "stock"), losses(config, "fast")
    with limited_threads(1):
        others = {"stock Keras on one thread": losses(config, "stock"), "kerastrash": fast}
    for name, values in others.items():
        apart = np.abs(values - stock)
        results().print(
            f"{name}: losses of {len(stock)} steps, {stock[0]:.3f} to {stock[-1]:.3f}, differ from stock Keras's by at "
            f"most {apart[:10].max():.1e} in the first ten and {apart.max():.1e} in all",
            soft_wrap=True,
        )
    if config.picture:
        draw(config, stock, others)


def losses(config: TrainingBenchmark, way: Way) -> np.ndarray:
    """The loss of each compared step."""
    model, dataset = made(config, way)
    values = []
    for number in track(range(config.compared_steps), f"losses, {way}", "steps"):
        model.reset_metrics()
        model.train_step(batch(config, dataset, number))
        values.append(float(model.get_metrics_result()["loss"]))
    return np.array(values)


def draw(config: TrainingBenchmark, stock: np.ndarray, others: Mapping[str, np.ndarray]) -> None:
    """The curves above, their differences below."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5.5), sharex=True, layout="constrained")
    steps = np.arange(1, len(stock) + 1)
    above.plot(steps, stock, color="#bbbbbb", linewidth=5, label="stock Keras")
    above.plot(steps, others["kerastrash"], color="#0f6fb8", linewidth=1.5, label="kerastrash")
    above.set(ylabel="loss", title=config.conditions)
    for (name, values), colour in zip(others.items(), ("#bbbbbb", "#0f6fb8"), strict=True):
        below.semilogy(steps, np.maximum(np.abs(values - stock), 1e-9), color=colour, label=name)
    below.set(xlabel="step", ylabel="apart from stock Keras")
    for axes in (above, below):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(config.picture) as temporary:
        figure.savefig(temporary, dpi=120)


def measured(config: TrainingBenchmark, way: Way) -> float:
    """Images a second, in a process of its own: what it does to its memory must not help the other way."""
    with Child() as child:
        return child.call(f"{Path(__file__).stem}:images_a_second", to_dict(config), way)


def images_a_second(settings: Mapping[str, Any], way: Way) -> float:
    """Of the median step, the first two left out."""
    config = from_dict(TrainingBenchmark, settings)
    set_tf32(True)
    model, dataset = made(config, way)
    seconds = []
    for number in range(config.steps):
        started = time.perf_counter()
        model.train_step(batch(config, dataset, number))
        synchronise()
        seconds.append(time.perf_counter() - started)
    return config.recipe.batch_size / median(seconds[2:])


def peer(config: TrainingBenchmark, *options: str) -> float:
    """Images a second as the peer's program prints them last."""
    if config.peer_python is None:
        raise ConfigError("peer_python is missing: give the Python of the peer's environment")
    data = Path(config.data.data).resolve() if Path(config.data.data).is_dir() else SAMPLE_FOLDER / "images"
    settings = {"data": data, "size": config.input_size, "batch": config.recipe.batch_size}
    settings["model"] = config.peer_net or config.net
    words = [f"--{name}={value}" for name, value in settings.items()]
    words += [] if config.recipe.dtype_policy == "float32" else ["--amp"]
    printed = answer([config.peer_python.absolute(), "train_peer.py", *words, *options], config.peer)
    return float(re.findall(r"([\d.]+) images/s", printed)[-1])


def end_to_end(config: TrainingBenchmark, folder: str) -> float:
    """Images a second of the second epoch of `train`, from the photographs on, with the recipe's augmentation."""
    runs = Path(tempfile.mkdtemp(dir=folder))
    dataset = prepare(replace(config.data, cache=Path(folder)), config.input_size)
    build = partial(build_model, config.net, config.input_size, len(dataset.classes))
    train(build, dataset, replace(config.recipe, epochs=2), runs)
    return float(read_csv(runs / "metrics.csv")[-1]["images_per_second"])


def full_recipe(config: TrainingBenchmark) -> str:
    """Trains some epochs by the recipe on crops of the contest's number and size; a sentence on how long all take.

    The clock is the wall's around `train`: laying the crops on the device, validation and saving are in it.
    """
    dataset = synthetic_dataset(config.training_crops, config.validation_crops, config.input_size)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as name:
        build, ends = partial(build_model, config.net, config.input_size, len(dataset.classes)), []
        clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
        started = time.perf_counter()
        train(build, dataset, config.recipe, Path(name), config.until, callbacks=[clock])
        taken = time.perf_counter() - started
        rates = [float(row["images_per_second"]) for row in read_csv(Path(name, "metrics.csv"))]
    later = np.diff(ends) if len(ends) > 1 else [ends[0] - started]
    hours = (taken + median(later) * (config.recipe.epochs - len(rates))) / 3600
    return (
        f"{config.conditions}, {device_description()}: {median(rates[1:] or rates):.0f} images/s in training; "
        f"{len(rates)} epochs of {config.training_crops:,} crops took {taken:.1f} s with validation on "
        f"{config.validation_crops:,} and saving, the later ones {median(later):.1f} s each; all "
        f"{config.recipe.epochs}, projected from these: {hours:.2f} hours"
    )


if __name__ == "__main__":
    script(main)
