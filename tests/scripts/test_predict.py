"""`scripts/predict.py` from the command line: what is printed, named, and returned."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from kerastrash import classifier
from kerastrash.commands import device
from kerastrash.commands.settings import PredictConfig

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "predict.py"
NET = """
<ir_version: 8, opset_import: ["": 17]>
colours (float[any, 8, 8, 3] images) => (float[any, 3] logits)
<float[1] hundred = {100}>
{
    means = ReduceMean<axes = [1, 2], keepdims = 0>(images)
    logits = Div(means, hundred)
}
"""


@pytest.fixture
def net(tmp_path) -> Path:
    """A net whose classes are the colours."""
    model = onnx.parser.parse_model(NET)
    onnx.helper.set_model_props(model, {"kerastrash": json.dumps({"classes": ["red", "green", "blue"]})})
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Images at several depths, and what is none: hidden files and a list."""
    for name in ("b.png", "a/red.jpg", "a/deep/green.PNG", ".hidden/blue.png", "a/._red.jpg"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = next((colour for colour in ("red", "green") if colour in name), "blue")
        Image.new("RGB", (12, 9), colour).save(path)
    (tmp_path / "images" / "list.txt").write_text("red.jpg\n")
    return tmp_path / "images"


def test_an_image_is_a_line_with_file_class_and_probability(script, net, folder):
    status, out, error = script("predict", net, folder / "b.png")
    assert status == 0, error
    name, label, probability = out.split()
    assert (name, label) == (str(folder / "b.png"), "blue")
    assert 0.5 < float(probability) < 1
    assert error == ""


def test_a_folder_is_answered_in_order_and_aligned(script, net, folder):
    status, out, _ = script("predict", net, folder)
    assert status == 0
    lines = out.splitlines()
    expected = [("a/deep/green.PNG", "green"), ("a/red.jpg", "red"), ("b.png", "blue")]
    assert [tuple(line.split()[:2]) for line in lines] == [(str(folder / name), label) for name, label in expected]
    assert len({line.index("0.") for line in lines}) == 1


def test_several_images_and_the_most_probable_classes(script, net, folder):
    status, out, _ = script("predict", net, folder / "b.png", folder / "a", "--top", 2)
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert [line[1] for line in lines] == ["blue", "green", "red"]
    assert [len(line) for line in lines] == [5, 5, 5]
    assert all(float(line[2]) >= float(line[4]) for line in lines)


def test_json_is_an_object_a_line_with_all_probabilities(script, net, folder):
    odd = folder / "줄\nbreak.png"
    Image.new("RGB", (5, 5), "red").save(odd)
    status, out, _ = script("predict", "--json", net, folder, "--classes", "R", "G", "B")
    assert status == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["label"] for one in found] == ["G", "R", "B", "R"]
    assert found[-1]["image"] == str(odd)
    for one in found:
        assert set(one["probabilities"]) == {"R", "G", "B"}
        assert sum(one["probabilities"].values()) == pytest.approx(1)
        assert one["probability"] == max(one["probabilities"].values())


def test_a_name_with_a_line_break_stays_in_its_line(script, net, tmp_path):
    Image.new("RGB", (5, 5), "red").save(tmp_path / "line\nbreak.png")
    status, out, _ = script("predict", net, tmp_path / "line\nbreak.png")
    assert status == 0
    assert out.count("\n") == 1
    assert r"line\nbreak.png" in out


def on_standard_input(net, data: bytes, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPT, net, *options, "-"]
    return subprocess.run(command, input=data, capture_output=True, timeout=120)


@pytest.mark.parametrize("suffix", ("png", "jpg", "gif", "bmp", "webp", "tiff"))
def test_the_bytes_of_an_image_on_standard_input_are_answered(net, suffix, tmp_path):
    Image.new("RGB", (300, 257), "blue").save(tmp_path / f"b.{suffix}")
    done = on_standard_input(net, (tmp_path / f"b.{suffix}").read_bytes())
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split()[:2] == ["-", "blue"]


def test_paths_on_standard_input_are_answered_in_order_after_those_of_the_line(net, folder):
    listed = f"{folder / 'a'}\n\n{folder / 'absent.png'}\n{folder / 'b.png'}\n"
    done = on_standard_input(net, listed.encode(), str(folder / "b.png"))
    assert done.returncode == 1
    names = [line.split()[0] for line in done.stdout.decode().splitlines()]
    assert names == [str(folder / name) for name in ("b.png", "a/deep/green.PNG", "a/red.jpg", "b.png")]
    assert b"absent.png: no such file" in done.stderr
    assert b"1 of 5 images could not be read" in done.stderr


def test_nothing_on_standard_input_is_a_sentence(net):
    done = on_standard_input(net, b"")
    assert done.returncode == 2
    assert b"file is empty" in done.stderr


def test_each_image_is_answered_before_the_next_one_is_named(net, folder):
    command = [sys.executable, SCRIPT, net, "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        for name, label in (("b.png", "blue"), ("a/red.jpg", "red")):
            process.stdin.write(f"{folder / name}\n")
            process.stdin.flush()
            assert process.stdout.readline().split()[:2] == [str(folder / name), label]
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_the_images_of_a_folder_are_answered_one_by_one(net, folder, monkeypatch):
    events = []
    monkeypatch.setattr(device, "show", lambda prediction, *_: events.append(f"said {Path(prediction.image).name}"))
    decode = classifier.decode
    monkeypatch.setattr(
        classifier, "decode", lambda path, data: events.append(f"read {path.name}") or decode(path, data)
    )
    assert device.predict(PredictConfig(net, [str(folder / "a")])) == 0
    assert events == ["read green.PNG", "said green.PNG", "read red.jpg", "said red.jpg"]


def test_brackets_in_a_name_are_no_markup(script, net, tmp_path):
    odd = tmp_path / "[bold][b]" / "[link].png"
    odd.parent.mkdir()
    Image.new("RGB", (5, 5), "red").save(odd)
    (odd.parent / "[none].png").write_text("not an image")
    status, out, error = script("predict", net, odd.parent)
    assert status == 1
    assert out.split()[:2] == [str(odd), "red"]
    assert f"{odd.parent / '[none].png'}: is no image" in error


def test_what_cannot_be_read_is_named_and_counted_and_the_others_are_answered(script, net, folder):
    (folder / "c.jpg").write_text("not an image")
    (folder / "d.png").write_bytes(b"")
    status, out, error = script("predict", net, folder)
    assert status == 1
    assert len(out.splitlines()) == 3
    assert "c.jpg: is no image" in error
    assert "d.png: file is empty" in error
    assert "2 of 5 images could not be read" in error


def test_nothing_that_can_be_read_is_status_2(script, net, tmp_path):
    (tmp_path / "text.jpg").write_text("not an image")
    status, out, error = script("predict", net, tmp_path / "text.jpg")
    assert (status, out) == (2, "")
    assert "not one of 1 images could be read" in error


def test_what_is_not_there_is_named_before_the_model_is_opened(script, net, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    for given, words in ((tmp_path / "empty", "holds no image"), (tmp_path / "absent", "no such file or folder")):
        status, out, error = script("predict", tmp_path / "bad.onnx", given)
        assert (status, out) == (2, "")
        assert f"{given.name}: {words}" in error
    status, _, error = script("predict", tmp_path / "bad.onnx", folder)
    assert status == 2
    assert "bad.onnx: ONNX Runtime cannot open it" in error


@pytest.mark.parametrize(("option", "value"), [("--top", "0"), ("--threads", "0")])
def test_a_setting_out_of_range_is_refused(script, net, folder, option, value):
    status, _, error = script("predict", net, folder, option, value)
    assert status == 2
    assert f"{option[2:]}={value}" in error


IN_THIS_PROCESS = """
import runpy, sys
try:
    runpy.run_path(sys.argv.pop(1), run_name="__main__")
except SystemExit as stop:
    heavy = ("keras", "torch", "tensorflow", "jax", "pandas", "scipy", "sklearn", "matplotlib", "h5py", "onnx")
    print(stop.code, [name for name in heavy if name in sys.modules])
"""


def test_an_onnx_file_is_answered_without_keras_torch_or_tensorflow(net, folder):
    command = [sys.executable, "-c", IN_THIS_PROCESS, SCRIPT, net, folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_images_may_stand_in_a_settings_file(script, net, folder, tmp_path):
    (tmp_path / "settings.yaml").write_text(f"model: {net}\nimages: [{folder / 'b.png'}]\njson: true\n")
    status, out, error = script("predict", "--config", tmp_path / "settings.yaml")
    assert status == 0, error
    assert json.loads(out)["label"] == "blue"


def test_help_names_the_options_and_images_are_required(script, net):
    status, out, _ = script("predict", "--help")
    assert status == 0
    assert "--top" in out
    status, _, error = script("predict", net)
    assert status == 2
    assert "images" in error
