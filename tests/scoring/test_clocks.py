"""The clocks take turns, time each image once, and open each net afresh in every turn of the total clock."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kerastrash.data import Crop, SplitData
from kerastrash.errors import ConfigError
from kerastrash.scoring import clocks
from kerastrash.scoring.clocks import Timing, inference_times, pixels_by_size, seconds_in_turns, time_block, total_times


class Recorder:
    """A runtime that notes which image it was asked about, by the value of its first pixel."""

    def __init__(self, name: str, input_size: int, calls: list[tuple[str, int]]):
        self.name, self.input_size, self.calls = name, input_size, calls

    def __call__(self, images: np.ndarray) -> np.ndarray:
        assert images.shape[1:] == (self.input_size, self.input_size, 3)
        assert images.dtype == np.uint8
        numbers = images[:, 0, 0, 0].tolist()
        self.calls.append((self.name, *numbers))
        return np.zeros((len(images), 2), "float32")


def numbered(count: int, size: int) -> np.ndarray:
    return np.broadcast_to(np.arange(1, count + 1, dtype="uint8")[:, None, None, None], (count, size, size, 3))


def crops(count: int) -> list[Crop]:
    return [Crop(Path(f"{number}.png"), None, 0, str(number)) for number in range(1, count + 1)]


def read(crop: Crop, size: int) -> np.ndarray:
    return np.full((size, size, 3), int(crop.key), "uint8")


ONE_BY_ONE = [[(1,), (2,)], [(3,), (4,), (5,)]]
SETTLED = [[(1,), (2,), (1,), (1,), (2,)], [(3,), (4,), (3,), (4,)]]


@pytest.mark.parametrize(
    ("nets", "count", "settings", "blocks", "timed"),
    [
        pytest.param("ab", 5, {"turns": 2, "warmup": 0}, ONE_BY_ONE, 5, id="nets take turns block by block"),
        pytest.param("ab", 4, {"turns": 2, "warmup": 3}, SETTLED, 4, id="three untimed calls at first, SETTLE later"),
        pytest.param(
            "a", 5, {"turns": 1, "batch": 3}, [[(1, 2, 3), (4, 5, 1)]], 2, id="a batch is filled from the first"
        ),
        pytest.param(
            "a", 2, {"turns": 3, "batch": 2}, [[(1, 2)]] * 3, 3, id="every turn has a batch however few images"
        ),
        pytest.param("a", 2, {"turns": 9}, [[(1,)], [(2,)]], 2, id="more turns than images are one image a turn"),
    ],
)
def test_turns_untimed_calls_and_batches_divide_the_images(nets, count, settings, blocks, timed):
    calls, sizes = [], dict(zip(nets, (4, 6), strict=False))
    timers = {name: partial(time_block, Recorder(name, size, calls)) for name, size in sizes.items()}
    images = {name: numbered(count, size) for name, size in sizes.items()}
    seconds = seconds_in_turns(timers, images, **{"warmup": 0} | settings)
    assert calls == [(name, *call) for block in blocks for name in nets for call in block]
    assert {name: len(values) for name, values in seconds.items()} == dict.fromkeys(nets, timed)


def test_nets_that_are_open_elsewhere_are_timed_by_functions_in_the_same_turns():
    asked, blocks = [], []

    def clock(name: str):
        def time_block(calls: np.ndarray, untimed: int) -> list[float]:
            asked.append((name, calls[:, :, 0, 0, 0].tolist(), untimed))
            return [1.0 * int(images[0, 0, 0, 0]) for images in calls[untimed:]]

        return time_block

    seconds = seconds_in_turns(
        {"a": clock("a"), "b": clock("b")},
        dict.fromkeys("ab", numbered(2, 4)),
        turns=2,
        warmup=1,
        on_block=lambda: blocks.append(len(asked)),
    )
    assert asked == [(name, [[image], [image]], 1) for image in (1, 2) for name in "ab"]
    assert seconds == {"a": [1.0, 2.0], "b": [1.0, 2.0]}
    assert blocks == [1, 2, 3, 4]


def test_the_total_clock_opens_each_net_in_every_turn_and_reads_every_crop_at_its_size(monkeypatch):
    monkeypatch.setattr(clocks, "read_crop", read)
    calls = []

    def opener(name: str, size: int):
        def open_it() -> Recorder:
            calls.append((name, "opened"))
            return Recorder(name, size, calls)

        return open_it

    times = total_times({"a": opener("a", 4), "b": opener("b", 6)}, crops(4), turns=2)
    first_answer = 0
    assert calls == [
        (name, call) for block in ((1, 2), (3, 4)) for name in "ab" for call in ("opened", first_answer, *block)
    ]
    assert all(timing.images == 4 and timing.load_s > 0 for timing in times.values())


def test_the_seconds_of_a_set_are_the_opening_and_the_median_for_each_image():
    timing = Timing(median_ms=20.0, p90_ms=30.0, p99_ms=40.0, images=5)
    assert timing.seconds(1000) == pytest.approx(20.0)
    assert replace(timing, load_s=1.5).seconds(1000) == pytest.approx(21.5)
    assert replace(timing, batch=4).seconds(1000) == pytest.approx(5.0)


def test_a_timing_has_the_percentiles_of_the_calls_and_the_images_a_second_of_the_batch():
    timing = Timing.of([number / 1000 for number in range(1, 102)], batch=32)
    assert (timing.median_ms, timing.p90_ms, timing.p99_ms) == pytest.approx((51, 91, 100))
    assert timing.images == 101 * 32
    assert timing.images_per_second == pytest.approx(32 / 0.051)


@pytest.mark.parametrize(("count", "turns"), [(0, 5), (3, 0)])
def test_nothing_to_time_is_refused(count, turns):
    net = Recorder("a", 4, [])
    with pytest.raises(ConfigError, match=f"{count} images in {turns} turns"):
        inference_times({"a": net}, {"a": numbered(count, 4)}, turns=turns)
    with pytest.raises(ConfigError, match=f"{count} images in {turns} turns"):
        total_times({"a": lambda: net}, crops(count), turns=turns)


def test_pixels_are_those_of_the_data_set_at_its_sizes_and_read_anew_at_others(monkeypatch):
    monkeypatch.setattr(clocks, "read_crop", read)
    kept = SplitData(numbered(9, 4), np.arange(2, 9), np.zeros(7, int), tuple(crops(9)[2:]))
    found = pixels_by_size({4: kept}, (4, 6, 4), most=3)
    assert {size: images.shape for size, images in found.items()} == {4: (3, 4, 4, 3), 6: (3, 6, 6, 3)}
    for images in found.values():
        assert images[:, 0, 0, 0].tolist() == [3, 6, 9]
    assert len(pixels_by_size({4: kept}, (4,), most=None)[4]) == 7


def test_nets_with_different_numbers_of_images_are_refused():
    nets = {name: Recorder(name, 4, []) for name in "ab"}
    with pytest.raises(ConfigError, match="same number of images"):
        inference_times(nets, {"a": numbered(2, 4), "b": numbered(3, 4)})
