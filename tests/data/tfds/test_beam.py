"""The Beam form writes the same set as the plain one, on Beam's local runner."""

import json
from dataclasses import replace

import pytest
import tensorflow_datasets as tfds

from kerastrash.data.tfds.command import build_tfds
from kerastrash.errors import ConfigError


@pytest.fixture
def beam():
    """Apache Beam; the test skips, saying so, where its environment (docs/tfds.md) is not the one that runs."""
    return pytest.importorskip("apache_beam", reason="apache-beam needs an environment of its own: docs/tfds.md")


def records(config) -> dict[str, list]:
    """Side -> the features of every record in the order of the records, images as the bytes that were written."""
    builder = tfds.builder("kerastrash_crops/small", data_dir=config.tfds_folder)
    skip = {"image": tfds.decode.SkipDecoding()}
    return {
        side: [
            [repr(record[name]) for name in sorted(record)] for record in builder.as_data_source(side, decoders=skip)
        ]
        for side in builder.info.splits
    }


def metadata(config) -> dict:
    (path,) = config.tfds_folder.rglob("metadata.json")
    return json.loads(path.read_text())


@pytest.mark.parametrize("damaged", [False, True])
def test_a_pipeline_writes_the_same_records_in_the_same_order(beam, config, tmp_path, damaged):
    if damaged:
        (tmp_path / "0.png").write_bytes((tmp_path / "0.png").read_bytes()[:200])
    build_tfds(config)
    piped = replace(config, beam=True, tfds_folder=tmp_path / "piped")
    build_tfds(piped)
    assert records(piped) == records(config)
    assert metadata(piped) == metadata(config)
    assert len(metadata(piped)["left_out"]) == (2 if damaged else 0)


def test_options_reach_the_pipeline(beam, config, tmp_path):
    options = "--runner=DirectRunner --direct_num_workers=2 --direct_running_mode=multi_threading"
    build_tfds(replace(config, beam=True, beam_options=options, tfds_folder=tmp_path / "threads"))
    build_tfds(config)
    assert metadata(replace(config, tfds_folder=tmp_path / "threads")) == metadata(config)
    with pytest.raises(ValueError, match="NoSuchRunner"):
        build_tfds(replace(config, beam=True, beam_options="--runner=NoSuchRunner", name="other"))


def test_where_beam_is_not_installed_a_sentence_says_so(config):
    try:
        import apache_beam  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(ConfigError, match=r"--beam: No module named 'apache_beam'; install apache-beam"):
            build_tfds(replace(config, beam=True))
    else:
        pytest.skip("apache-beam is installed here")
