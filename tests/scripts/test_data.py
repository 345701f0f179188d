"""`check` and `prepare`: exit status, what they print, what they write."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two classes of six photographs, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for label, name in enumerate(("can", "box")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(6):
            coarse = np.random.default_rng((label, number)).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((48, 36)).save(tmp_path / "set" / name / f"{number}.png")
    return tmp_path / "set"


CHECK = "check --data set --input-size 16"


def test_clean_data_exit_with_0_and_the_page_has_the_name_of_the_set(done, folder):
    out, _ = done(f"{CHECK} --report page.html")
    assert "Passed" in out and "page.html" in out
    assert (folder.parent / "page.html").is_file()
    done(CHECK)
    assert (folder.parent / "check-set.html").is_file()


def test_a_conflict_exits_with_1_and_is_named(script, folder):
    shutil.copy(folder / "can" / "0.png", folder / "box" / "copy.png")
    status, out, _ = script(f"{CHECK} --json found.json")
    assert status == 1
    assert "box/copy.png" in out
    (finding,) = json.loads((folder.parent / "found.json").read_text())["findings"]
    assert (finding["kind"], finding["severity"], finding["count"]) == ("conflict", "error", 1)
    assert sorted(finding["items"][0]["names"]) == ["box/copy.png", "can/0.png"]
    assert sorted(finding["items"][0]["labels"]) == ["box", "can"]


def test_near_duplicates_under_two_labels_exit_with_1_only_when_strict(script, folder):
    Image.open(folder / "can" / "0.png").save(folder / "box" / "near.jpg", quality=70)
    assert script(CHECK)[0] == 0
    assert script(f"{CHECK} --strict")[0] == 1


def test_data_that_cannot_be_prepared_are_reported_and_exit_with_2(script, folder):
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    status, out, error = script(f"{CHECK} --report page.html")
    assert status == 2
    assert "is no image" in out
    assert "not one of 12 crops can be used" in error
    assert (folder.parent / "page.html").is_file()


@pytest.mark.usefixtures("folder")
def test_the_sample_passes_without_a_finding_and_its_page_is_small(done, tmp_path):
    out, _ = done("check --data sample --input-size 16 --report page.html --json found.json")
    assert "MIT" in out
    assert json.loads((tmp_path / "found.json").read_text())["findings"] == []
    assert (tmp_path / "page.html").stat().st_size < 3_000_000


def test_a_tfds_set_is_built_once_and_its_table_says_what_was_left_out(done, refused, here):
    (here / "images" / "dark" / "0.png").write_bytes(b"no image")
    line = "prepare tfds --data images --name small --tfds-folder tfds"
    printed, errors = done(line)
    assert "small: crops by class" in printed
    assert "left out: 1 x is no image: dark/0.png\n" in printed
    assert "--data tfds:small --tfds-folder tfds\n" in printed
    assert "built before" not in errors
    again, errors = done(line)
    assert again == printed
    assert "small: built before from the same data, stays as it is" in errors
    assert "was built from other data or split otherwise" in refused(f"{line} --test 0.3")
