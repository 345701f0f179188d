"""Files are either whole or absent, and say why."""

import json
import signal
import subprocess
import sys

import pytest

from kerastrash.errors import DataError, FileError
from kerastrash.files import (
    TEMPORARY,
    atomic_path,
    read_csv,
    read_json,
    remove_temporaries,
    staged,
    write_csv,
    write_json,
)


@pytest.mark.parametrize("writing", [atomic_path, staged])
def test_an_error_leaves_the_earlier_file_and_no_trace(tmp_path, writing):
    path = tmp_path / "net.xml"
    path.write_text("earlier")
    with pytest.raises(RuntimeError), writing(path) as place:
        place.write_text("half")
        if writing is staged:
            place.with_suffix(".bin").write_text("half")
        raise RuntimeError
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"net.xml": "earlier"}


KILLED = """
import sys
from pathlib import Path
from kerastrash.files import atomic_path, staged
weights, export = map(Path, sys.argv[1:])
with atomic_path(weights) as one, staged(export) as place, atomic_path(place) as other:
    one.write_text("half")
    other.write_text("half")
    print("half", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_was_writing_is_removed_and_what_a_living_one_exports_stays(tmp_path):
    weights, exports = tmp_path / "trials" / "best.weights.h5", tmp_path / "exports"
    write_json(weights, "whole")
    (tmp_path / ".lock").touch()
    command = [sys.executable, "-c", KILLED, weights, exports / "first"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (left,) = set(weights.parent.iterdir()) - {weights}
        assert left.name.startswith(".") and left.name.endswith(".weights.h5")
        for _ in range(2):
            remove_temporaries(tmp_path)
            with staged(exports / "second") as place:
                place.write_text("whole")
            assert len(list(exports.iterdir())) == 2
            assert len(list(exports.rglob(f"{TEMPORARY}*"))) == 1
        process.kill()
    with staged(exports / "second") as place:
        place.write_text("whole")
    assert {file.name for file in tmp_path.rglob("*")} == {".lock", "trials", weights.name, "exports", "second"}
    assert read_json(weights) == "whole"


def test_a_disk_that_is_full_is_named_and_leaves_the_earlier_file(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.json"
    write_json(path, [])
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
        with pytest.raises(FileError, match=r"a\.json: cannot be written"):
            write_json(path, ["x" * 4096])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert json.loads(path.read_text()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"{", "not valid JSON"), (b"\xff", "read"), (b"[" * 100_000, "export the file again")],
)
def test_unreadable_json_is_named_in_the_callers_own_error(tmp_path, content, words):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_json(path, DataError)


def test_csv_rows_come_back_and_missing_cells_are_empty(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, [{"a": 1}, {"a": 2, "b": "x,y"}])
    assert read_csv(path) == [{"a": "1", "b": ""}, {"a": "2", "b": "x,y"}]
    assert read_csv(tmp_path / "absent.csv") == []


def test_a_text_file_of_four_gigabytes_is_refused_without_being_read(tmp_path):
    with (tmp_path / "huge.json").open("wb") as stream:
        stream.truncate(4 * 2**30)
    with pytest.raises(DataError, match=r"huge\.json: is 4\.3 GB, the limit is 0\.5 GB; divide it"):
        read_json(tmp_path / "huge.json", DataError)


def test_a_staged_folder_takes_the_place_of_an_earlier_one_and_what_lies_beside_it_moves_along(tmp_path):
    for text in ("earlier", "later"):
        with staged(tmp_path / "net") as place:
            place.mkdir()
            for file in (place / "saved_model.pb", place / text, place.with_name("net.json")):
                file.write_text(text)
    assert {file.name for file in (tmp_path / "net").iterdir()} == {"saved_model.pb", "later"}
    files = {file.name: file.read_text() for file in tmp_path.iterdir() if file.name != "net"}
    assert files == {"net.json": "later"}
