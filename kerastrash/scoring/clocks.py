"""Two clocks at batch size 1, each run in turns over the nets that are compared.

Inference: image in memory -> copied to the device -> forward -> argmax. Total: the file opened, and then for each crop
decode, pad, resize and inference. A block of images goes through every net before the next block begins (A B A B ...),
so that a slow spell of the machine falls on all of them alike. Nothing is drawn on the terminal meanwhile: a progress
bar's thread would take its share of the time.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from kerastrash.data import Crop, read_crop
from kerastrash.errors import ConfigError
from kerastrash.export.open_net import Runtime


@dataclass(frozen=True)
class Timing:
    """What one clock says of one net."""

    median_ms: float
    """Milliseconds an image."""
    p90_ms: float
    images: int
    """How many images were timed."""
    load_s: float = 0.0
    """Seconds from opening the file to the first answer; 0 on the inference clock."""

    def seconds(self, images: int) -> float:
        """Seconds for a set of `images` images: the file opened once, then the median time for each."""
        return self.load_s + self.median_ms * images / 1000


def inference_times(
    runtimes: Mapping[str, Runtime], images: Mapping[str, np.ndarray], turns: int = 5, warmup: int = 10
) -> dict[str, Timing]:
    """Times open nets on images in memory.

    Args:
        runtimes: the nets, by any name.
        images: for each net (n, size, size, 3) uint8 of its own size, the same n for all.
        turns: blocks that the images are cut into.
        warmup: images that each net answers first, untimed.

    Raises:
        ConfigError: no images, different numbers of them, or `turns` below 1.
    """
    counts = {name: len(images[name]) for name in runtimes}
    if len(set(counts.values())) != 1:
        raise ConfigError(f"images={counts}: give every net the same number of images")
    (count,) = set(counts.values())
    blocks = _blocks(count, turns)
    images = {name: np.array(images[name]) for name in runtimes}  # out of a memory map, which would read the disk
    for name, runtime in runtimes.items():
        for index in range(warmup):
            _answer(runtime, images[name][index % count])
    times = {name: [] for name in runtimes}
    for block in blocks:
        for name, runtime in runtimes.items():
            for index in block:
                times[name].append(_clock(_answer, runtime, images[name][index]))
    return {name: _timing(values) for name, values in times.items()}


def total_times(
    openers: Mapping[str, Callable[[], Runtime]],
    crops: Sequence[Crop],
    turns: int = 5,
    read: Callable[[Crop, int], np.ndarray] = read_crop,
) -> dict[str, Timing]:
    """Times nets from their file and the photographs' files on; each net is opened afresh in every turn.

    Args:
        openers: for each net a function that opens it.
        crops: what to decode, pad, resize and classify.
        turns: blocks that the crops are cut into.
        read: crop and size to (size, size, 3) uint8.

    Raises:
        ConfigError: no crops, or `turns` below 1.
    """
    times, loads = {name: [] for name in openers}, {name: [] for name in openers}
    for block in _blocks(len(crops), turns):
        for name, opener in openers.items():
            started = perf_counter()
            runtime = opener()
            _answer(runtime, np.zeros((runtime.input_size, runtime.input_size, 3), "uint8"))
            loads[name].append(perf_counter() - started)
            for index in block:
                times[name].append(_clock(_read_and_answer, runtime, read, crops[index]))
    return {name: _timing(values, float(np.median(loads[name]))) for name, values in times.items()}


def spread(count: int, most: int | None) -> np.ndarray:
    """Indices of at most `most` of `count` images, spread evenly; of all where `most` is None."""
    return np.linspace(0, count - 1, min(most or count, count)).astype(int)


def _blocks(count: int, turns: int) -> list[range]:
    if count < 1 or turns < 1:
        raise ConfigError(f"{count} images in {turns} turns cannot be timed: give at least one of each")
    edges = np.linspace(0, count, min(turns, count) + 1).astype(int).tolist()
    return [range(start, stop) for start, stop in itertools.pairwise(edges)]


def _answer(runtime: Runtime, image: np.ndarray) -> int:
    return int(runtime(image[None]).argmax())


def _read_and_answer(runtime: Runtime, read: Callable[[Crop, int], np.ndarray], crop: Crop) -> int:
    return _answer(runtime, read(crop, runtime.input_size))


def _clock(work: Callable[..., object], *arguments: object) -> float:
    started = perf_counter()
    work(*arguments)
    return perf_counter() - started


def _timing(seconds: list[float], load_s: float = 0.0) -> Timing:
    median, p90 = np.percentile(seconds, (50, 90)) * 1000
    return Timing(float(median), float(p90), len(seconds), load_s)
