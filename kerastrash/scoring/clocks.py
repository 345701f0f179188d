"""Two clocks, each run in turns over the nets that are compared, and what they say of a net.

Inference: images in memory -> copied to the device -> forward -> argmax. Total: the file opened, and then for each crop
decode, pad, resize and inference. A block of images goes through every net before the next block begins (A B A B ...),
so that a slow spell of the machine falls on all of them alike. Nothing is drawn on the terminal while a clock runs: a
progress bar's thread would take its share of the time.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from kerastrash.data import Crop, SplitData, read_crop
from kerastrash.errors import ConfigError
from kerastrash.export.format import OpenNet

SETTLE = 2
"""Calls at the start of a block that are not timed: the nets before it have emptied the processor's caches."""

TimeBlock = Callable[[np.ndarray, int], list[float]]
"""Times one net: calls (n, batch, size, size, 3), of which the first so many are not timed -> seconds of the others."""


@dataclass(frozen=True)
class Timing:
    """What one clock says of one net."""

    median_ms: float
    """Milliseconds a call: an image where `batch` is 1."""
    p90_ms: float
    p99_ms: float
    images: int
    """How many images were timed."""
    load_s: float = 0.0
    """Seconds from opening the file to the first answer; 0 on the inference clock."""
    batch: int = 1
    """Images a call."""

    @classmethod
    def of(cls, seconds: Sequence[float], batch: int = 1, load_s: float = 0.0) -> "Timing":
        """The timing of calls that took so many seconds each."""
        percentiles = (float(value) for value in np.percentile(seconds, (50, 90, 99)) * 1000)
        return cls(*percentiles, len(seconds) * batch, load_s, batch)

    @property
    def images_per_second(self) -> float:
        """The rate of the median call."""
        return 1000 * self.batch / self.median_ms

    def seconds(self, images: int) -> float:
        """Seconds for a set of `images` images: the file opened once, then the median time for each."""
        return self.load_s + images / self.images_per_second


def inference_times(
    runtimes: Mapping[str, OpenNet], images: Mapping[str, np.ndarray], turns: int = 5
) -> dict[str, Timing]:
    """Times open nets on images in memory, as `seconds_in_turns` does."""
    clocks = {name: partial(time_block, runtime) for name, runtime in runtimes.items()}
    return {name: Timing.of(values) for name, values in seconds_in_turns(clocks, images, turns).items()}


def seconds_in_turns(
    clocks: Mapping[str, TimeBlock],
    images: Mapping[str, np.ndarray],
    turns: int = 5,
    warmup: int = 10,
    batch: int = 1,
    on_block: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Seconds of each call, by net; the nets may be open elsewhere.

    Args:
        clocks: for each net, by any name, a function that times it and runs where it is.
        images: for each net (n, size, size, 3) uint8 of its own size, the same n for all.
        turns: blocks that the images are cut into.
        warmup: calls that each net answers first, untimed; at the start of later blocks it answers SETTLE of them.
        batch: images a call; where they do not fill the last one, or a block, the first ones come again.
        on_block: called after each block of each net, when no clock runs.

    Raises:
        ConfigError: no images, different numbers of them, or `turns` below 1.
    """
    counts = {name: len(images[name]) for name in clocks}
    if len(set(counts.values())) != 1:
        raise ConfigError(f"images={counts}: give every net the same number of images")
    (count,) = set(counts.values())
    # At least one batch a turn, so that a small set comes several times.
    total = count if batch == 1 or not count else max(-(-count // batch), turns)
    seconds = {name: [] for name in clocks}
    for number, block in enumerate(_blocks(total, turns)):
        untimed = min(warmup, SETTLE) if number else warmup
        calls = np.concatenate([np.resize(block, untimed), block]).astype(int)
        chosen = (calls[:, None] * batch + np.arange(batch)) % count
        for name, clock in clocks.items():
            seconds[name] += clock(images[name][chosen], untimed)  # indexing copies out of a memory map
            on_block()
    return seconds


def time_block(runtime: OpenNet, calls: np.ndarray, untimed: int) -> list[float]:
    """Seconds of each of the `calls` (n, batch, size, size, 3) but the first `untimed`, which are answered as well."""
    return [_clock(_answer, runtime, images) for images in calls][untimed:]


def total_times(
    openers: Mapping[str, Callable[[], OpenNet]], crops: Sequence[Crop], turns: int = 5
) -> dict[str, Timing]:
    """Times nets from their file and the photographs' files on; each net is opened afresh in every turn.

    Args:
        openers: for each net a function that opens it.
        crops: what to decode, pad, resize and classify.
        turns: blocks that the crops are cut into.

    Raises:
        ConfigError: no crops, or `turns` below 1.
    """
    times, loads = {name: [] for name in openers}, {name: [] for name in openers}
    for block in _blocks(len(crops), turns):
        for name, opener in openers.items():
            started = perf_counter()
            runtime = opener()
            _answer(runtime, np.zeros((1, runtime.input_size, runtime.input_size, 3), "uint8"))
            loads[name].append(perf_counter() - started)
            times[name] += [_clock(_read_and_answer, runtime, crops[index]) for index in block]
    return {name: Timing.of(values, load_s=float(np.median(loads[name]))) for name, values in times.items()}


def spread(count: int, most: int | None) -> np.ndarray:
    """Indices of at most `most` of `count` images, spread evenly; of all where `most` is None."""
    return np.linspace(0, count - 1, min(most or count, count)).astype(int)


def pixels_by_size(parts: Mapping[int, SplitData], sizes: Iterable[int], most: int | None) -> dict[int, np.ndarray]:
    """The images that are timed, for nets of every size: at most `most` of a split, spread evenly over it.

    Args:
        parts: the split at the sizes that it was prepared at, at least one.
        sizes: of the nets, in pixels; where there is no such part, the crops are read anew.

    Returns:
        uint8 (n, size, size, 3) by size, the same n for all.
    """
    any_part = next(iter(parts.values()))
    chosen = spread(len(any_part), most)

    def at(size: int) -> np.ndarray:
        if size in parts:
            return parts[size].images[parts[size].indices[chosen]]
        return np.stack([read_crop(any_part.crops[index], size) for index in chosen])

    return {size: at(size) for size in dict.fromkeys(sizes)}


def _blocks(count: int, turns: int) -> list[range]:
    if count < 1 or turns < 1:
        raise ConfigError(f"{count} images in {turns} turns cannot be timed: give at least one of each")
    edges = np.linspace(0, count, min(turns, count) + 1).astype(int).tolist()
    return [range(start, stop) for start, stop in itertools.pairwise(edges)]


def _answer(runtime: OpenNet, images: np.ndarray) -> np.ndarray:
    return runtime(images).argmax(axis=1)


def _read_and_answer(runtime: OpenNet, crop: Crop) -> np.ndarray:
    return _answer(runtime, read_crop(crop, runtime.input_size)[None])


def _clock(work: Callable[..., object], *arguments: object) -> float:
    started = perf_counter()
    work(*arguments)
    return perf_counter() - started
