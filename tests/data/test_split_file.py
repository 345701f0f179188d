"""A kept split is the one that was computed, and never one of other crops."""

import numpy as np
import pytest

from kerastrash.data.records import LeftOut
from kerastrash.data.split_file import kept_split

SPLIT = (
    {"train": np.array([0, 3, 4]), "val": np.array([1]), "test": np.array([2, 5])},
    (LeftOut("a.png", "the same photograph stands in test"),),
)


def never():
    raise AssertionError("computed again")


def assert_is_the_split(split):
    for side, indices in SPLIT[0].items():
        np.testing.assert_array_equal(split[0][side], indices)
        assert split[0][side].dtype == np.int64
    assert split[1] == SPLIT[1]


def test_a_split_is_computed_once_and_read_back_as_it_was(tmp_path):
    assert_is_the_split(kept_split(tmp_path / "split.json", 6, lambda: SPLIT))
    assert_is_the_split(kept_split(tmp_path / "split.json", 6, never))


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"version": 1, "crops": 6}', '{"version": 0, "crops": 6, "train": [0], "val": [1], "test": [2]}'],
)
def test_a_damaged_or_older_file_is_computed_again(tmp_path, content):
    (tmp_path / "split.json").write_text(content)
    assert_is_the_split(kept_split(tmp_path / "split.json", 6, lambda: SPLIT))
    assert_is_the_split(kept_split(tmp_path / "split.json", 6, never))


def test_a_split_of_another_number_of_crops_is_computed_again(tmp_path):
    kept_split(tmp_path / "split.json", 7, lambda: SPLIT)
    with pytest.raises(AssertionError, match="computed again"):
        kept_split(tmp_path / "split.json", 6, never)


def test_a_folder_that_cannot_be_written_still_gives_the_split(tmp_path):
    (tmp_path / "file").write_text("")
    assert_is_the_split(kept_split(tmp_path / "file" / "split.json", 6, lambda: SPLIT))
