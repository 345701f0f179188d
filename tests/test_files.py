"""Files are either whole or absent, and say why."""

import json
import os
import signal
import subprocess
import sys

import pytest

from kerastrash.errors import DataError, FileError
from kerastrash.files import atomic_path, read_csv, read_json, remove_temporaries, staged, write_csv, write_json


def test_a_failed_write_leaves_the_earlier_file_and_no_trace(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"kept": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"kept": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


KILLED = """
import os, signal, sys
from kerastrash.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "trials" / "best.weights.h5"
    write_json(path, "whole")
    (tmp_path / ".lock").touch()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", KILLED, path], env=environment).returncode == -signal.SIGKILL
    (left,) = set(path.parent.iterdir()) - {path}
    assert left.name.startswith(".") and left.name.endswith(".weights.h5")
    remove_temporaries(tmp_path)
    assert {file.name for file in tmp_path.rglob("*")} == {".lock", "trials", "best.weights.h5"}
    assert read_json(path) == "whole"


def test_what_is_being_exported_below_stays(tmp_path):
    with staged(tmp_path / "exports" / "net.keras") as place, atomic_path(place) as temporary:
        temporary.write_text("whole")
        remove_temporaries(tmp_path)
    assert (tmp_path / "exports" / "net.keras").read_text() == "whole"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        write_json(tmp_path / "file" / "a.json", {})


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
    write_csv(path, [{"a": 1}, {"a": 2, "b": "x,y"}], ["a", "b"])
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
    assert {file.name: file.read_text() for file in tmp_path.iterdir() if file.is_file()} == {"net.json": "later"}
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_while_staged_leaves_what_was_there(tmp_path):
    (tmp_path / "net.xml").write_text("earlier")
    with pytest.raises(RuntimeError), staged(tmp_path / "net.xml") as place:
        place.with_suffix(".bin").write_text("half")
        raise RuntimeError
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"net.xml": "earlier"}


HANGS = """
import sys
from pathlib import Path
from kerastrash.files import staged
with staged(Path(sys.argv[1])) as place:
    place.write_text("half")
    print("staged", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_staged_is_removed_by_the_next_and_what_a_living_one_stages_stays(tmp_path):
    command = [sys.executable, "-c", HANGS, tmp_path / "first"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        for _ in range(2):
            with staged(tmp_path / "second") as place:
                place.write_text("whole")
            assert len(list(tmp_path.iterdir())) == 2
        process.kill()
    with staged(tmp_path / "second") as place:
        place.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["second"]
