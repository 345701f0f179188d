"""The clocks take turns, time each image once, and open each net afresh in every turn of the total clock."""

from pathlib import Path

import numpy as np
import pytest

from kerastrash.data import Crop
from kerastrash.errors import ConfigError
from kerastrash.scoring.clocks import Timing, inference_times, total_times


class Recorder:
    """A runtime that notes which image it was asked about, by the value of its first pixel."""

    def __init__(self, name: str, input_size: int, calls: list[tuple[str, int]]):
        self.name, self.input_size, self.calls = name, input_size, calls

    def __call__(self, images: np.ndarray) -> np.ndarray:
        assert images.shape == (1, self.input_size, self.input_size, 3)
        assert images.dtype == np.uint8
        self.calls.append((self.name, int(images[0, 0, 0, 0])))
        return np.zeros((1, 2), "float32")


def numbered(count: int, size: int) -> np.ndarray:
    return np.broadcast_to(np.arange(1, count + 1, dtype="uint8")[:, None, None, None], (count, size, size, 3))


def crops(count: int) -> list[Crop]:
    return [Crop(Path(f"{number}.png"), None, 0, str(number)) for number in range(1, count + 1)]


def read(crop: Crop, size: int) -> np.ndarray:
    return np.full((size, size, 3), int(crop.key), "uint8")


def test_nets_take_turns_block_by_block():
    calls = []
    nets = {name: Recorder(name, size, calls) for name, size in (("a", 4), ("b", 6))}
    times = inference_times(nets, {"a": numbered(5, 4), "b": numbered(5, 6)}, turns=2, warmup=0)
    assert calls == [(name, image) for block in ((1, 2), (3, 4, 5)) for name in "ab" for image in block]
    assert list(times) == ["a", "b"]
    assert [timing.images for timing in times.values()] == [5, 5]


def test_the_warmup_comes_first_and_is_not_timed():
    calls = []
    nets = {name: Recorder(name, 4, calls) for name in "ab"}
    times = inference_times(nets, dict.fromkeys("ab", numbered(2, 4)), turns=1, warmup=3)
    assert calls[:6] == [(name, image) for name in "ab" for image in (1, 2, 1)]
    assert calls[6:] == [(name, image) for name in "ab" for image in (1, 2)]
    assert times["a"].images == 2


def test_more_turns_than_images_are_one_image_a_turn():
    calls = []
    nets = {name: Recorder(name, 4, calls) for name in "ab"}
    inference_times(nets, dict.fromkeys("ab", numbered(2, 4)), turns=9, warmup=0)
    assert calls == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_the_total_clock_opens_each_net_in_every_turn_and_reads_every_crop_at_its_size():
    calls = []

    def opener(name: str, size: int):
        def open_it() -> Recorder:
            calls.append((name, "opened"))
            return Recorder(name, size, calls)

        return open_it

    times = total_times({"a": opener("a", 4), "b": opener("b", 6)}, crops(4), turns=2, read=read)
    first_answer = 0
    assert calls == [
        (name, call) for block in ((1, 2), (3, 4)) for name in "ab" for call in ("opened", first_answer, *block)
    ]
    assert all(timing.images == 4 and timing.load_s > 0 for timing in times.values())


def test_the_seconds_of_a_set_are_the_opening_and_the_median_for_each_image():
    assert Timing(median_ms=20.0, p90_ms=30.0, images=5).seconds(1000) == pytest.approx(20.0)
    assert Timing(median_ms=20.0, p90_ms=30.0, images=5, load_s=1.5).seconds(1000) == pytest.approx(21.5)


def test_the_median_is_not_above_the_ninetieth_percentile():
    nets = {"a": Recorder("a", 4, [])}
    timing = inference_times(nets, {"a": numbered(20, 4)})["a"]
    assert 0 < timing.median_ms <= timing.p90_ms


@pytest.mark.parametrize(("count", "turns"), [(0, 5), (3, 0)])
def test_nothing_to_time_is_refused(count, turns):
    nets = {"a": Recorder("a", 4, [])}
    with pytest.raises(ConfigError, match=f"{count} images in {turns} turns"):
        inference_times(nets, {"a": numbered(count, 4)}, turns=turns)
    with pytest.raises(ConfigError, match=f"{count} images in {turns} turns"):
        total_times({"a": lambda: nets["a"]}, crops(count), turns=turns, read=read)


def test_nets_with_different_numbers_of_images_are_refused():
    nets = {name: Recorder(name, 4, []) for name in "ab"}
    with pytest.raises(ConfigError, match="same number of images"):
        inference_times(nets, {"a": numbered(2, 4), "b": numbered(3, 4)})
