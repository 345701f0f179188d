"""Splits: stratified, deterministic, no photograph in two, every class in each; a kept one is the one computed."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kerastrash.data.coco import read_coco
from kerastrash.data.records import Crop, LeftOut
from kerastrash.data.split import VERSION, kept_split, split_crops
from kerastrash.errors import DataError

CLASSES = ("a", "b", "c")


def split(labels, groups, given=None, classes=CLASSES, **options):
    given = given or [None] * len(labels)
    rows = enumerate(zip(labels, given, strict=True))
    crops = [Crop(Path("x"), None, label, str(index), name) for index, (label, name) in rows]
    return split_crops("litter", classes, crops, np.array(labels), np.array(groups, dtype=str), **options)


def mixed(photographs: int = 120, seed: int = 5) -> tuple[list[int], list[int]]:
    """Photographs of one to six crops of unequal classes."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(photographs), rng.integers(1, 7, photographs))
    return rng.choice(3, len(groups), p=[0.6, 0.3, 0.1]).tolist(), groups.tolist()


def assert_sound(splits, labels, groups, dropped=0):
    labels, groups = np.array(labels), np.array(groups)
    indices = np.concatenate(list(splits.values()))
    assert len(set(indices.tolist())) == len(indices) == len(labels) - dropped
    for held in splits.values():
        assert set(labels[held]) == set(labels)
    photographs = [set(groups[held].tolist()) for held in splits.values()]
    assert sum(map(len, photographs)) == len(set.union(*photographs))


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.2), (0.15, 0.3), (0.25, 0.05)])
@pytest.mark.parametrize("data", ["mixed", "taco"])
def test_shares_are_near_for_every_class_and_no_photograph_is_in_two(photographed_taco, data, validation, test):
    labels, groups = mixed()
    if data == "taco":
        labels, groups = zip(*((crop.label, crop.image_id) for crop in read_coco(photographed_taco).crops), strict=True)
    splits, left_out = split(labels, groups, classes=range(len(set(labels))), validation=validation, test=test)
    assert left_out == ()
    assert_sound(splits, labels, groups)
    for name, share in (("val", validation), ("test", test)):
        assert abs(len(splits[name]) / len(labels) - share) < 0.02
        for label, count in Counter(labels).items():
            held = np.count_nonzero(np.array(labels)[splits[name]] == label)
            assert abs(held - share * count) <= min(1 + 0.03 * count, max(1, 0.05 * count))


@pytest.mark.parametrize(
    ("seed", "val", "test"),
    [(0, [12, 13, 22, 23], [17, 18, 19, 20, 21]), (2021, [12, 13, 22, 23], [10, 11, 16, 17, 18, 19])],
)
def test_a_split_stays_what_it_was(seed, val, test):
    """Stored nets and published figures rest on these indices: no version may draw others for the same seed."""
    labels = [0, 0, 0, 2, 1, 0, 0, 2, 2, 2, 0, 0, 1, 0, 1, 0, 2, 0, 1, 2, 0, 2, 2, 0]
    groups = [0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 8, 8, 8, 9, 10, 11, 11]
    splits, _ = split(labels, groups, seed=seed)
    assert (splits["val"].tolist(), splits["test"].tolist()) == (val, test)
    assert splits["train"].tolist() == sorted(set(range(24)) - {*val, *test})


@pytest.mark.parametrize(
    ("labels", "groups", "classes"),
    [
        ([*range(6)] * 3, range(18), "abcdef"),
        ([0] * 200 + [1] * 3 + [2] * 90, range(293), CLASSES),  # a rare class beside a frequent one
        ([0, 1, 2] * 3, [0, 0, 0, 1, 1, 1, 2, 2, 2], CLASSES),  # each photograph holds all classes
    ],
)
def test_a_class_of_three_photographs_stands_in_every_split(labels, groups, classes):
    for seed in (*range(5), 2021):
        splits, left_out = split(labels, list(groups), classes=tuple(classes), seed=seed)
        assert left_out == ()
        assert_sound(splits, labels, list(groups))


SCARCE = [0] * 20 + [1] * 20 + [2] * 9, [*range(40), *[40] * 5, *[41] * 4]
# a needs 0, 1, 2 apart and b needs 0, 1, 3 apart: 2 and 3 are then together, and c needs them apart
TANGLED = [0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2, 0, 1, 3, 2, 3, 0]


@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        (*SCARCE, r"litter: class 'c' has 9 crop\(s\) on 2 photograph\(s\), too few"),
        ([0, 1] * 20, [*range(40)], r"class 'c' has 0 crop\(s\)"),
        (*TANGLED, r"has 3 crop\(s\) on 3 photograph\(s\), but none of them in"),
    ],
)
def test_a_class_that_cannot_stand_in_every_split_stops_with_its_counts(labels, groups, message):
    with pytest.raises(DataError, match=message):
        split(labels, groups)


def test_given_splits_stay_and_a_missing_validation_split_is_taken_from_train_only():
    labels, given = [0, 1, 2] * 3, ["train"] * 3 + ["val"] * 3 + ["test"] * 3
    splits, _ = split(labels, list(range(9)), given)
    assert [splits[name].tolist() for name in ("train", "val", "test")] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    with pytest.raises(DataError, match=r"class 'c' .* none of them in test"):
        split(labels[:8], list(range(8)), given[:8])
    labels, given = [0, 1, 2] * 30, ["train"] * 60 + ["test"] * 30
    splits, _ = split(labels, list(range(90)), given, validation=0.1)
    assert splits["test"].tolist() == list(range(60, 90))
    assert len(splits["val"]) == 6
    assert_sound(splits, labels, list(range(90)))


def test_a_photograph_in_two_given_splits_is_kept_in_test_and_left_out_of_the_others():
    labels = [0, 1, 2] * 4
    given = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    groups = [0, 1, 2, 9, 6, 5, 6, 7, 8, 9, 10, 11]  # 9 in train and test, 6 in train and val
    splits, left_out = split(labels, groups, given)
    assert {item.what: item.reason for item in left_out} == {
        "3": "the same photograph stands in test",
        "4": "the same photograph stands in val",
    }
    assert_sound(splits, labels, groups, dropped=2)


KEPT = (
    {"train": np.array([0, 3, 4]), "val": np.array([1]), "test": np.array([2, 5])},
    (LeftOut("a.png", "the same photograph stands in test"),),
)


OTHER = {"version": VERSION, "crops": 6, "train": [0], "val": [1], "test": [2], "left_out": []}


def never():
    raise AssertionError("computed again")


def assert_is_kept(split):
    for name, indices in KEPT[0].items():
        np.testing.assert_array_equal(split[0][name], indices)
        assert split[0][name].dtype == np.int64
    assert split[1] == KEPT[1]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        '{"version": 1, "crops": 6}',
        json.dumps(OTHER | {"version": 0}),
        json.dumps(OTHER | {"crops": 7}),
    ],
)
def test_a_split_is_computed_once_and_again_where_its_file_is_damaged_older_or_another(tmp_path, content):
    if content is not None:
        (tmp_path / "split.json").write_text(content)
    assert_is_kept(kept_split(tmp_path / "split.json", 6, lambda: KEPT))
    assert_is_kept(kept_split(tmp_path / "split.json", 6, never))
    assert_is_kept(kept_split(tmp_path / "split.json" / "no folder", 6, lambda: KEPT))  # cannot be written
