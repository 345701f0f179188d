"""`check` and `prepare`: exit status, what they print, what they write."""

import json
import shutil

import pytest
from PIL import Image

CHECK = "check --data images --input-size 16"


def test_clean_data_exit_with_0_and_the_page_has_the_name_of_the_set(done, here):
    out, _ = done(f"{CHECK} --report page.html")
    assert "Passed" in out and "page.html" in out
    assert (here / "page.html").is_file()
    done(CHECK)
    assert (here / "check-images.html").is_file()


def test_a_conflict_exits_with_1_and_is_named(script, here):
    shutil.copy(here / "images" / "dark" / "0.png", here / "images" / "light" / "copy.png")
    status, out, _ = script(f"{CHECK} --json found.json")
    assert status == 1
    assert "light/copy.png" in out
    (finding,) = json.loads((here / "found.json").read_text())["findings"]
    assert (finding["kind"], finding["severity"], finding["count"]) == ("conflict", "error", 1)
    assert sorted(finding["items"][0]["names"]) == ["dark/0.png", "light/copy.png"]
    assert sorted(finding["items"][0]["labels"]) == ["dark", "light"]


def test_near_duplicates_under_two_labels_exit_with_1_only_when_strict(script, here):
    picture = Image.open(here / "images" / "dark" / "0.png").resize((64, 64))
    picture.save(here / "images" / "dark" / "near.png")
    picture.save(here / "images" / "light" / "near.jpg")
    assert script(CHECK)[0] == 0
    assert script(f"{CHECK} --strict")[0] == 1


def test_data_that_cannot_be_prepared_are_reported_and_exit_with_2(script, here):
    for path in here.rglob("*.png"):
        path.write_bytes(b"no image")
    status, out, error = script(f"{CHECK} --report page.html")
    assert status == 2
    assert "is no image" in out
    assert "not one of 24 crops can be used" in error
    assert (here / "page.html").is_file()


@pytest.mark.usefixtures("here")
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
    assert "left out: 1" in printed and "is no image 1 dark/0.png" in " ".join(printed.split())
    assert "--data tfds:small --tfds-folder tfds\n" in printed
    assert "built before" not in errors
    again, errors = done(line)
    assert again == printed
    assert "small: built before from the same data, stays as it is" in errors
    assert "was built from other data or split otherwise" in refused(f"{line} --test 0.3")
