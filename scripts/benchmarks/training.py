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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import matplotlib.pyplot as plt
import numpy as np
import yaml
from keras import ops
from rich.table import Table

from kerastrash.backends import device_description, limited_threads, set_tf32, synchronise, training_model
from kerastrash.cli import script
from kerastrash.console import console, results, track
from kerastrash.data import DataConfig, Dataset, prepare
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.errors import ConfigError
from kerastrash.files import atomic_path, read_csv
from kerastrash.models import build_model
from kerastrash.settings import to_dict
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
    """In place of all that: train by the recipe on synthetic crops for so many epochs and project the rest."""
    training_crops: int = 18766
    """Those crops: nine tenths of the contest's 20,851."""
    validation_crops: int = 2085
    """Crops to validate on after each epoch of the recipe."""
    measure: Way | None = None
    """What a process of this script is started for; not for you."""
    data: DataConfig = field(default_factory=DataConfig)
    """The data of both, end to end."""
    recipe: Recipe = field(default_factory=Recipe)
    """Of a step, its batch size, loss and precision; with a 16-bit dtype policy the peer is run with --amp."""


def main(config: TrainingBenchmark) -> None:
    """Time training steps beside stock Keras and plain PyTorch, after comparing the losses of the first two."""
    if keras.backend.backend() != "torch":
        raise ConfigError("KERAS_BACKEND is not torch: only there does the fast path differ from stock Keras")
    set_tf32(True)
    if config.measure:
        print(images_a_second(config, config.measure))
        return
    if config.until:
        full_recipe(config)
        return
    if config.compared_steps:
        compare(config)
    ways = {"stock Keras": lambda: measured(config, "stock"), "kerastrash": lambda: measured(config, "fast")}
    if config.peer:
        ways["peer"] = lambda: peer(config, "--compute-only")
    show("training step", in_turns(ways, config.turns), config)
    if config.end_to_end and config.peer:
        with tempfile.TemporaryDirectory(prefix="kerastrash-") as folder:
            ways = {"kerastrash": lambda: end_to_end(config, Path(folder)), "peer": lambda: peer(config, "--epochs=2")}
            show("end to end, second epoch", in_turns(ways, config.turns), config)


def made(config: TrainingBenchmark, way: Way) -> tuple[keras.Model, Dataset]:
    """The compiled net, its weights the same every time, and what it is trained on."""
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(config.recipe.dtype_policy)
    dataset = synthetic_dataset(8 * config.recipe.batch_size, 1, config.input_size)
    net = build_model(config.net, config.input_size)
    model = training_model(net) if way == "fast" else net
    compile_by_recipe(model, dataset, config.recipe, steps=1000)
    return model, dataset


def batch(config: TrainingBenchmark, dataset: Dataset, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels, another of eight batches each time."""
    rows = np.arange(config.recipe.batch_size) + number % 8 * config.recipe.batch_size
    return ops.convert_to_tensor(dataset.images[rows]), ops.convert_to_tensor(dataset.labels[rows])


def compare(config: TrainingBenchmark) -> None:
    """Prints how far the losses of the two paths are apart, and draws them.

    Rounding grows from step to step in any training, so stock Keras is also compared with itself on one thread, which
    adds in another order.
    """
    stock = losses(config, "stock")
    fast = losses(config, "fast")
    with limited_threads(1):
        again = losses(config, "stock")
    for name, values in (("kerastrash", fast), ("stock Keras on one thread", again)):
        apart = np.abs(values - stock)
        results().print(
            f"{name}: losses of {len(stock)} steps, {stock[0]:.3f} to {stock[-1]:.3f}, differ from stock Keras's by at "
            f"most {apart[:10].max():.1e} in the first ten and {apart.max():.1e} in all",
            soft_wrap=True,
        )
    if config.picture:
        draw(stock, fast, again, config)


def losses(config: TrainingBenchmark, way: Way) -> np.ndarray:
    """The loss of each compared step."""
    model, dataset = made(config, way)
    values = []
    for number in track(range(config.compared_steps), f"losses, {way}", "steps"):
        model.reset_metrics()
        model.train_step(batch(config, dataset, number))
        values.append(float(model.get_metrics_result()["loss"]))
    return np.array(values)


def draw(stock: np.ndarray, fast: np.ndarray, again: np.ndarray, config: TrainingBenchmark) -> None:
    """The curves above, their differences below."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5.5), sharex=True, layout="constrained")
    steps = np.arange(1, len(stock) + 1)
    above.plot(steps, stock, color="#bbbbbb", linewidth=5, label="stock Keras")
    above.plot(steps, fast, color="#0f6fb8", linewidth=1.5, label="kerastrash")
    above.set(ylabel="loss", title=conditions(config))
    below.semilogy(steps, np.maximum(np.abs(again - stock), 1e-9), color="#bbbbbb", label="stock Keras on one thread")
    below.semilogy(steps, np.maximum(np.abs(fast - stock), 1e-9), color="#0f6fb8", label="kerastrash")
    below.set(xlabel="step", ylabel="apart from stock Keras")
    for axes in (above, below):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(config.picture) as temporary:
        figure.savefig(temporary, dpi=120)


def conditions(config: TrainingBenchmark) -> str:
    """Net, size, batch and precision."""
    return f"{config.net}, {config.input_size} px, batch {config.recipe.batch_size}, {config.recipe.dtype_policy}"


def images_a_second(config: TrainingBenchmark, way: Way) -> float:
    """Of the median step, the first two left out."""
    model, dataset = made(config, way)
    model.reset_metrics()
    seconds = []
    for number in range(config.steps):
        started = time.perf_counter()
        model.train_step(batch(config, dataset, number))
        synchronise()
        seconds.append(time.perf_counter() - started)
    return config.recipe.batch_size / median(seconds[2:])


def measured(config: TrainingBenchmark, way: Way) -> float:
    """The same in a process of its own: what it does to its memory must not help the other way."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as settings:
        yaml.safe_dump(to_dict(config), settings)
        settings.flush()
        command = [sys.executable, __file__, "--config", settings.name, "--measure", way]
        return float(answer(command, Path.cwd()).split()[-1])


def peer(config: TrainingBenchmark, *options: str) -> float:
    """Images a second as the peer's program prints them last."""
    if config.peer_python is None:
        raise ConfigError("peer_python is missing: give the Python of the peer's environment")
    amp = () if config.recipe.dtype_policy == "float32" else ("--amp",)
    sizes = (
        f"--size={config.input_size}",
        f"--batch={config.recipe.batch_size}",
        f"--model={config.peer_net or config.net}",
    )
    data = Path(config.data.data).resolve() if Path(config.data.data).is_dir() else config.peer
    command = [config.peer_python.absolute(), "train_peer.py", f"--data={data}", *sizes, *amp, *options]
    return float(re.findall(r"([\d.]+) images/s", answer(command, config.peer))[-1])


def end_to_end(config: TrainingBenchmark, folder: Path) -> float:
    """Images a second of the second epoch of `train`, from the photographs on, with the recipe's augmentation."""
    runs = Path(tempfile.mkdtemp(dir=folder))
    dataset = prepare(replace(config.data, cache=folder), config.input_size)
    recipe = replace(config.recipe, epochs=2)
    train(lambda: build_model(config.net, config.input_size, len(dataset.classes)), dataset, recipe, runs)
    return float(read_csv(runs / "metrics.csv")[-1]["images_per_second"])


def full_recipe(config: TrainingBenchmark) -> None:
    """Trains by the recipe on crops of the contest's number and size, and says how long all of its epochs take."""
    console.print(f"making {config.training_crops + config.validation_crops:,} crops of {config.input_size} px")
    dataset = synthetic_dataset(config.training_crops, config.validation_crops, config.input_size)
    with tempfile.TemporaryDirectory(prefix="kerastrash-") as name:
        build = partial(build_model, config.net, config.input_size, len(dataset.classes))
        train(build, dataset, config.recipe, Path(name), config.until)
        rows = read_csv(Path(name, "metrics.csv"))
    rates, seconds = ([float(row[name]) for row in rows] for name in ("images_per_second", "seconds"))
    later = slice(1, None) if len(rows) > 1 else slice(None)  # the first epoch also warms up
    hours = (seconds[0] + median(seconds[later]) * (config.recipe.epochs - 1)) / 3600
    results().print(
        f"{conditions(config)}, {device_description()}: {median(rates[later]):.0f} images/s in training; {len(rows)} "
        f"epochs in {sum(seconds) / 60:.1f} minutes, {config.recipe.epochs} epochs (projected, validation and saving "
        f"included): {hours:.2f} hours",
        soft_wrap=True,
    )


def answer(command: list, folder: Path) -> str:
    """What a command prints."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}; mend that first")
    return done.stdout


def in_turns(ways: dict[str, Callable[[], float]], turns: int) -> dict[str, list[float]]:
    """Images a second of each way in each turn."""
    rates = {name: [] for name in ways}
    for name in track(list(ways) * turns, "turns", "measurements"):
        rates[name].append(ways[name]())
    return rates


def show(title: str, rates: dict[str, list[float]], config: TrainingBenchmark) -> None:
    """A table of medians and of ratios to the peer, or to stock Keras where there is none."""
    against = "peer" if "peer" in rates else "stock Keras"
    table = Table(
        title=f"{title}: {conditions(config)}",
        caption=f"{device_description()}, {len(rates[against])} turns, medians",
    )
    for column in ("", "images/s", "lowest", "highest", f"of {against}"):
        table.add_column(column, justify="right" if column else "left")
    for name, values in rates.items():
        ratio = median(values) / median(rates[against])
        table.add_row(name, *(f"{value:.1f}" for value in (median(values), min(values), max(values))), f"{ratio:.2f}")
    results().print(table)


if __name__ == "__main__":
    script(main)
