"""An exported file is kept, with a sidecar, when its runtime gives the model's outputs; otherwise nothing is."""

import hashlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from kerastrash.data.config import DataConfig
from kerastrash.errors import ConfigError, KerastrashError, ModelError
from kerastrash.export.agreement import ExportReport
from kerastrash.export.export import (
    Original,
    compared_images,
    export_formats,
    export_model,
    exported_name,
    formats_here,
    open_original,
)
from kerastrash.export.format import Description
from kerastrash.export.formats import ExportConfig, format_of, open_runtime, sidecar_path, write_sidecar
from kerastrash.export.writing import write_model
from kerastrash.models import build_model
from kerastrash.models.builder import in_policy
from kerastrash.models.saved import save_model

SIZE, CLASSES = 32, ("Glas", "Papier", "Tüte")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (40, SIZE, SIZE, 3)).astype("uint8")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A net of three named classes, trained in mixed precision as far as its file tells."""
    keras.utils.set_random_seed(2)
    model = build_model("mobilenetv3_79", SIZE, classes=3, width=0.25)
    path = tmp_path_factory.mktemp("source") / "best.keras"
    save_model(in_policy(model, "mixed_bfloat16"), path, CLASSES)
    return path


@pytest.fixture(scope="module")
def original(source, images) -> Original:
    return open_original(source, images)


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_sidecar_holds_where_the_file_comes_from_and_how_it_compares(original, source, tmp_path):
    report = export_model(original, "keras", tmp_path / "net.keras")
    assert contents(tmp_path) == {"net.keras", "net.keras.json"}
    kept = json.loads((tmp_path / "net.keras.json").read_text())
    assert kept["source"] == str(source)
    assert kept["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert kept["description"] == {"classes": list(CLASSES), "softmax": False, "precision": "float32"}
    assert kept["sha256"] == {".keras": hashlib.sha256((tmp_path / "net.keras").read_bytes()).hexdigest()}
    assert kept["bytes"] == (tmp_path / "net.keras").stat().st_size
    assert (kept["format"], kept["file"], kept["input_size"]) == ("keras", "net.keras", SIZE)
    assert (kept["agreement"]["images"], kept["agreement"]["batches"], kept["agreement"]["top1"]) == (40, [1, 32], 1)
    assert kept["agreement"]["relative_difference"] == report.agreement.relative_difference < 1e-4
    assert kept["versions"]["keras"] == keras.__version__
    assert kept["written"].endswith("+00:00")


@pytest.mark.backends
def test_an_onnx_file_agrees_with_the_model_in_float32(original, images, tmp_path):
    report = export_model(original, "onnx", tmp_path / "net.onnx")
    assert contents(tmp_path) == {"net.onnx", "net.onnx.json"}
    np.testing.assert_allclose(open_runtime(tmp_path / "net.onnx")(images), original.outputs, atol=1e-5)
    assert report.runtime == "onnxruntime" and report.agreement.relative_difference < 1e-4


def test_probabilities_are_compared_with_probabilities(original, images, tmp_path):
    report = export_model(original, "onnx", tmp_path / "net.onnx", replace(original.description, softmax=True))
    assert report.agreement.difference < 1e-5
    np.testing.assert_allclose(open_runtime(tmp_path / "net.onnx")(images).sum(axis=1), 1, atol=1e-5)


def test_a_source_of_probabilities_stays_one(original, images, tmp_path):
    keras.Model(original.model.input, layers.Softmax()(original.model.output)).save(tmp_path / "soft.keras")
    soft = open_original(tmp_path / "soft.keras", images)
    assert soft.description == Description(softmax=True)
    report = export_model(soft, "onnx", tmp_path / "net.onnx")
    assert report.description.softmax and report.agreement.difference < 1e-5


def test_a_file_that_disagrees_is_not_kept_and_the_earlier_one_stays(original, tmp_path):
    other = replace(original, outputs=original.outputs * np.float32(1.01))
    (tmp_path / "net.keras").write_text("earlier")
    with pytest.raises(ModelError, match=r"net\.keras: not kept, its outputs differ"):
        export_model(other, "keras", tmp_path / "net.keras")
    assert contents(tmp_path) == {"net.keras"}
    assert (tmp_path / "net.keras").read_text() == "earlier"


def test_class_names_must_fit_the_outputs(original, tmp_path):
    with pytest.raises(ConfigError, match=r"classes=a,b are 2 names, but .*best\.keras has 3 outputs"):
        export_model(original, "keras", tmp_path / "net.keras", Description(("a", "b")))
    assert not contents(tmp_path)


def test_a_model_whose_outputs_are_no_numbers_is_refused(tmp_path, images):
    model = build_model("mobilenetv3_79", SIZE, classes=3, width=0.25)
    model.get_layer("logits").bias.assign([np.nan] * 3)
    model.save(tmp_path / "net.keras")
    with pytest.raises(ModelError, match=r"net\.keras: its outputs are not finite"):
        open_original(tmp_path / "net.keras", images)


@pytest.mark.parametrize(("name", "precision", "file"), [
    ("onnx", "float32", "best.onnx"), ("openvino", "float16", "best-float16.xml"),
    ("saved_model", "float32", "best_saved_model"),
])  # fmt: skip
def test_files_are_named_after_the_model(name, precision, file):
    assert exported_name("best", name, precision) == file


def test_the_size_of_a_model_is_that_of_all_its_parts(tmp_path):
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    sizes = {"net.onnx": 3, "net.xml": 4, "net.bin": 50, "saved/saved_model.pb": 600, "saved/variables/b": 7000}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    paths = [tmp_path / name for name in ("net.onnx", "net.xml", "saved")]
    assert [format_of(path).size(path) for path in paths] == [3, 54, 7600]


@pytest.fixture
def exported(write_colours, tensorflow_files, source, tmp_path) -> dict[str, Path]:
    """A file of each format with a sidecar, by its suffix."""
    paths = [tmp_path / "net.keras", tmp_path / "net.tflite", tmp_path / "saved"]
    shutil.copy(source, paths[0])
    shutil.copy(tensorflow_files / "any.tflite", paths[1])
    shutil.copytree(tensorflow_files / "saved", paths[2])
    paths += [write_colours(tmp_path / f"net.{suffix}") for suffix in ("onnx", "xml", "pt2")]
    for path in paths:
        write_sidecar(Description(), path)
    return {path.suffix: path for path in paths}


@pytest.mark.parametrize(("suffix", "part"), [
    (".keras", "net.keras"), (".onnx", "net.onnx"), (".xml", "net.xml"), (".xml", "net.bin"), (".tflite", "net.tflite"),
    (".pt2", "net.pt2"), ("", "saved/saved_model.pb"), ("", "saved/assets.extra/kerastrash.json"),
])  # fmt: skip
def test_a_file_that_is_another_than_its_sidecar_was_written_with_is_refused(exported, tmp_path, suffix, part):
    content = (tmp_path / part).read_bytes()
    (tmp_path / part).write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if content else b"?")
    sidecar = sidecar_path(exported[suffix])
    message = rf"{part}: was damaged or replaced, .* {sidecar.name} holds; copy or export it again, or delete {sidecar}"
    with pytest.raises(ModelError, match=message):
        open_runtime(exported[suffix])


def test_a_changed_file_opens_when_its_sidecar_is_deleted(exported, write_colours):
    path = write_colours(exported[".onnx"], batch=2)
    with pytest.raises(ModelError, match="was damaged or replaced"):
        open_runtime(path)
    sidecar_path(path).unlink()
    assert open_runtime(path).classes == 3


def test_a_file_that_is_renamed_with_its_sidecar_still_opens(exported, tmp_path):
    for name in ("net.onnx", "net.xml", "net.bin", "net.onnx.json", "net.xml.json"):
        (tmp_path / name).rename(tmp_path / name.replace("net", "other"))
    assert open_runtime(tmp_path / "other.onnx").classes == open_runtime(tmp_path / "other.xml").classes == 3


@pytest.mark.parametrize("content", [b'{"sha256": "0f"}', b'{"sha256": {".onnx": 3}}', b"{", b"\xff"])
def test_a_sidecar_that_cannot_be_understood_is_named(exported, content):
    sidecar_path(exported[".onnx"]).write_bytes(content)
    with pytest.raises(ModelError, match=r"net\.onnx\.json"):
        open_runtime(exported[".onnx"])


def test_a_file_written_anew_without_a_sidecar_loses_the_earlier_ones_but_not_one_written_by_hand(original, tmp_path):
    path = tmp_path / "net.keras"
    export_model(original, "keras", path)
    assert contents(write_model(original.model, "keras", path).parent) == {"net.keras"}
    sidecar_path(path).write_text('{"classes": ["a", "b", "c"]}')
    write_model(original.model, "keras", path)
    assert contents(tmp_path) == {"net.keras", "net.keras.json"} and open_runtime(path).classes == 3


def test_formats_without_the_precision_or_the_packages_are_named_with_their_install_line(source, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openvino", None)
    left_out = {"keras", "torch", "saved_model", "openvino"}
    assert left_out.isdisjoint(formats_here(ExportConfig(source, precision="float16")))
    said = capsys.readouterr().err.replace("\n", " ")
    assert 'openvino: left out, it needs pip install "kerastrash[openvino]"' in said
    assert "torch: left out, it has no float16" in said


@pytest.fixture
def config(source, tmp_path) -> ExportConfig:
    """Twenty images of two classes, in a cache of their own."""
    for number, pixels in enumerate(np.random.default_rng(9).integers(0, 256, (20, 16, 20, 3)).astype("uint8")):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    data = DataConfig(data=str(tmp_path / "photos"), cache=tmp_path / "cache")
    return ExportConfig(source, data=data, output=tmp_path / "exports")


def test_a_format_that_fails_does_not_stop_the_others(config, tmp_path):
    failed, good = export_formats(replace(config, formats=("litert", "keras"), precision="int8", images_compared=3))
    assert "kerastrash quantise" in str(failed.outcome)
    assert isinstance(good.outcome, KerastrashError) and not (tmp_path / "exports").exists()
    failed, good = export_formats(replace(config, formats=("torch", "keras"), classes=("x", "y", "z")))
    assert isinstance(good.outcome, ExportReport) and good.outcome.description.classes == ("x", "y", "z")
    assert good.outcome.agreement.images == 4  # all of the test part


def test_compared_images_are_spread_over_the_part():
    class Twenty:
        images, indices = np.arange(100).reshape(100, 1, 1, 1), np.arange(50, 70)

        def __len__(self) -> int:
            return 20

    assert compared_images(Twenty(), 3).ravel().tolist() == [50, 59, 69]
    assert len(compared_images(Twenty(), 200)) == 20


def test_settings_out_of_range_are_named(source):
    with pytest.raises(ConfigError, match="images_compared=0"):
        ExportConfig(source, images_compared=0)
    with pytest.raises(ConfigError, match="formats"):
        ExportConfig(source, formats=())
