"""check.py: exit status, what it prints, what it writes."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """Two classes of six photographs."""
    for label, name in enumerate(("can", "box")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(6):
            coarse = np.random.default_rng((label, number)).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((48, 36)).save(tmp_path / "set" / name / f"{number}.png")
    return tmp_path / "set"


@pytest.fixture
def check(script, tmp_path):
    def run(data, *options):
        page, cache = tmp_path / "page.html", tmp_path / "cache"
        return script("check", "--data", data, "--cache", cache, "--report", page, "--input-size", 16, *options)

    return run


def test_clean_data_exit_with_0(check, folder, tmp_path):
    status, out, _ = check(folder)
    assert status == 0
    assert "Passed" in out
    assert str(tmp_path / "page.html") in out
    assert (tmp_path / "page.html").is_file()


def test_a_conflict_exits_with_1_and_is_named(check, folder, tmp_path):
    shutil.copy(folder / "can" / "0.png", folder / "box" / "copy.png")
    status, out, _ = check(folder, "--json", tmp_path / "found.json")
    assert status == 1
    assert "box/copy.png" in out
    (finding,) = json.loads((tmp_path / "found.json").read_text())["findings"]
    assert (finding["kind"], finding["severity"], finding["count"]) == ("conflict", "error", 1)
    assert sorted(finding["items"][0]["names"]) == ["box/copy.png", "can/0.png"]
    assert sorted(finding["items"][0]["labels"]) == ["box", "can"]


def test_near_duplicates_under_two_labels_exit_with_1_only_when_strict(check, folder):
    Image.open(folder / "can" / "0.png").save(folder / "box" / "near.jpg", quality=70)
    assert check(folder)[0] == 0
    assert check(folder, "--strict")[0] == 1


def test_the_default_page_lies_here_and_has_the_name_of_the_set(script, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert script("check", "--data", folder, "--cache", tmp_path / "cache", "--input-size", 16)[0] == 0
    assert (tmp_path / "check-set.html").is_file()


def test_data_that_cannot_be_prepared_are_reported_and_exit_with_2(check, folder, tmp_path):
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    status, out, error = check(folder)
    assert status == 2
    assert "is no image" in out
    assert "not one of 12 crops can be used" in error
    assert (tmp_path / "page.html").is_file()


def test_without_data_it_asks_for_them(script, tmp_path):
    status, _, error = script("check", "--cache", tmp_path / "cache")
    assert status == 2
    assert "no data is named" in error and "--data" in error


def test_a_missing_source_exits_with_2_and_writes_nothing(check, tmp_path):
    status, _, error = check(tmp_path / "absent")
    assert status == 2
    assert "no such file or folder" in error
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("bits", [-1, 17])
def test_a_threshold_out_of_range_exits_with_2(check, folder, bits):
    status, _, error = check(folder, f"--near={bits}")
    assert status == 2
    assert "near" in error


def test_the_sample_passes_without_a_finding_and_its_page_is_small(check, tmp_path):
    status, out, _ = check("sample", "--json", tmp_path / "found.json")
    assert status == 0, out
    assert "MIT" in out
    assert json.loads((tmp_path / "found.json").read_text())["findings"] == []
    assert (tmp_path / "page.html").stat().st_size < 3_000_000
