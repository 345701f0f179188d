"""A run belongs to one set of settings and to one process at a time."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from kerastrash.errors import ConfigError, DataError
from kerastrash.files import TEMPORARY, read_json
from kerastrash.runs import InRun, model_in, open_run, run_folder, run_of
from kerastrash.scoring.config import ClockConfig


@dataclass(frozen=True)
class Settings(InRun):
    epochs: int = 3
    sizes: tuple[int, ...] = (48, 64)
    folder: Path = Path("x")


@dataclass(frozen=True)
class Nested:
    inner: Settings = Settings(epochs=9)
    turn: bool = False
    workers: int | None = None


@dataclass(frozen=True)
class Timed:
    clock: ClockConfig
    nested: Nested = field(default_factory=Nested)
    cache: Path = Path("cache")


CLOCK = ClockConfig(blocks=3, baseline_size=64)


@pytest.fixture
def run(tmp_path) -> Path:
    """A run that was made with the default settings."""
    with open_run(tmp_path / "run", Settings()) as folder:
        return folder


def go_on(folder: Path, settings: object) -> None:
    with open_run(folder, settings):
        pass


def refuse(folder: Path, settings: object, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        go_on(folder, settings)


def test_a_new_run_holds_its_settings_and_its_environment(run):
    assert yaml.safe_load((run / "config.yaml").read_text()) == {"epochs": 3, "sizes": [48, 64], "folder": "x"}
    assert read_json(run / "environment.json")["packages"]["keras"]


def test_the_same_settings_go_on_with_the_run_and_others_are_refused_by_name_and_value(run):
    go_on(run, Settings())
    refuse(run, Settings(epochs=4), r"epochs=3, not 4.*--name")
    assert (run / "config.yaml").exists()


FLAT = "epochs: 9\nsizes: [48]\nturn: true\nworkers: 3\ncache: a\n"
DONE = Settings(epochs=9, sizes=(48,))


@pytest.mark.parametrize(
    ("written", "same", "other", "sentence"),
    [
        ("inner: {epochs: 9, folder: x}", Nested(), Nested(turn=True), "turn=False, not True"),
        ("inner: {epochs: 9, folder: x}", Nested(), Nested(DONE), r"sizes=\[48, 64\], not \[48\]"),
        (FLAT, Nested(DONE, True), Nested(replace(DONE, epochs=8), True), "epochs=9, not 8"),
        ("turns: 3\nbaseline_size: 64\n", Timed(CLOCK), Timed(replace(CLOCK, blocks=5)), "blocks=3, not 5"),
    ],
    ids=["a setting came later", "one of several", "settings were flat", "a setting had another name"],
)
def test_a_run_of_an_earlier_version_goes_on_or_is_refused_by_name(tmp_path, written, same, other, sentence):
    (tmp_path / "config.yaml").write_text(written)
    go_on(tmp_path, same)
    refuse(tmp_path, other, sentence)


def test_settings_that_do_not_concern_the_result_may_differ_wherever_they_are_nested(tmp_path):
    for cache, workers in (("a", None), ("b", 3)):
        go_on(tmp_path, Timed(ClockConfig(), Nested(workers=workers), Path(cache)))
    assert not {"cache", "workers"} & set((tmp_path / "config.yaml").read_text().replace(":", "").split())
    refuse(tmp_path, Timed(ClockConfig(), Nested(turn=True)), "turn=False, not True")


def test_a_run_of_another_command_and_a_damaged_one_are_refused_with_a_sentence(run):
    for content, sentence in {
        "target: 0.5": ": there is no field 'target'.*another --name",
        "{[": ": not valid",
    }.items():
        (run / "config.yaml").write_text(content)
        refuse(run, Settings(), rf"config\.yaml{sentence}")


def test_what_a_killed_process_was_writing_is_gone_when_the_run_goes_on(run):
    left = run / f"{TEMPORARY}1.best.keras"
    left.touch()
    go_on(run, Settings())
    assert not left.exists()


def test_two_processes_do_not_share_a_run(tmp_path):
    with open_run(tmp_path, Settings()):
        refuse(tmp_path, Settings(), "another process")


def test_a_mistake_found_before_anything_was_made_leaves_no_run(tmp_path):
    with pytest.raises(DataError), open_run(tmp_path / "run", Settings(epochs=1)):
        raise DataError("no such data")
    assert list(tmp_path.iterdir()) == []
    go_on(tmp_path / "run", Settings(epochs=2))


def test_a_mistake_after_something_was_made_keeps_the_run(run):
    with pytest.raises(DataError), open_run(run, Settings()) as folder:
        (folder / "history.csv").touch()
        raise DataError("the data is gone")
    assert (run / "config.yaml").exists()


def test_without_a_name_the_same_command_goes_on_and_another_gets_the_next_free_one(tmp_path):
    names = []
    for epochs in (3, 4, 3, 5, 4):
        config = Settings(epochs=epochs, runs=tmp_path)
        with open_run(run_folder(config, "train"), config) as folder:
            (folder / "made").touch()
            names.append(folder.name)
    assert names == ["train", "train-2", "train", "train-3", "train-2"]
    assert run_folder(Settings(epochs=9, name="train", runs=tmp_path), "other") == tmp_path / "train"


def test_a_run_is_found_from_any_file_in_it_and_its_model_by_its_folder(tmp_path):
    with open_run(tmp_path / "runs" / "a", Settings()) as folder:
        for name in ("best.keras", "exports/best.onnx"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
            assert run_of(folder / name) == run_of(folder) == folder
        assert model_in(folder) == model_in(folder / "best.keras") == folder / "best.keras"
    assert run_of(tmp_path / "runs" / "b" / "best.keras") is None
    assert model_in(tmp_path / "runs") == tmp_path / "runs"
