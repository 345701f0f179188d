"""`scripts/predict.py` from the command line: what is printed, named, and returned."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

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


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder: net.onnx, whose classes are the colours; in images/ some, and what is none."""
    monkeypatch.chdir(tmp_path)
    model = onnx.parser.parse_model(NET)
    onnx.helper.set_model_props(model, {"kerastrash": json.dumps({"classes": ["red", "green", "blue"]})})
    onnx.save(model, "net.onnx")
    for name in ("b.png", "a/red.jpg", "a/deep/green.PNG", ".hidden/blue.png", "a/._red.jpg"):
        colour = next((colour for colour in ("red", "green") if colour in name), "blue")
        draw(f"images/{name}", colour)
    Path("images/list.txt").write_text("red.jpg\n")
    return tmp_path


def draw(path: str, colour: str = "red") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 9), colour).save(path)


def test_a_folder_is_answered_in_order_and_aligned(done):
    out, error = done("predict net.onnx images")
    lines = out.splitlines()
    expected = ["images/a/deep/green.PNG green", "images/a/red.jpg red", "images/b.png blue"]
    assert [" ".join(line.split()[:2]) for line in lines] == expected
    assert len({line.index("0.") for line in lines}) == 1
    assert all(0.5 < float(line.split()[2]) < 1 for line in lines) and error == ""


def test_several_images_and_the_most_probable_classes(done):
    lines = [line.split() for line in done("predict net.onnx images/b.png images/a --top 2")[0].splitlines()]
    assert [line[1] for line in lines] == ["blue", "green", "red"]
    assert [len(line) for line in lines] == [5, 5, 5]
    assert all(float(line[2]) >= float(line[4]) for line in lines)


def test_json_is_an_object_a_line_with_all_probabilities(done):
    odd = "images/줄\nbreak.png"
    draw(odd)
    out, _ = done("predict --json net.onnx images --classes R G B")
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["label"] for one in found] == ["G", "R", "B", "R"]
    assert found[-1]["image"] == odd
    for one in found:
        assert set(one["probabilities"]) == {"R", "G", "B"}
        assert sum(one["probabilities"].values()) == pytest.approx(1)
        assert one["probability"] == max(one["probabilities"].values())


def on_standard_input(data: bytes, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPT, "net.onnx", *options, "-"]
    return subprocess.run(command, input=data, capture_output=True, timeout=120)


@pytest.mark.parametrize("suffix", ("png", "jpg", "gif", "bmp", "webp", "tiff"))
def test_the_bytes_of_an_image_on_standard_input_are_answered(suffix):
    Image.new("RGB", (300, 257), "blue").save(f"b.{suffix}")
    answered = on_standard_input(Path(f"b.{suffix}").read_bytes())
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.decode().split()[:2] == ["-", "blue"]


def test_paths_on_standard_input_are_answered_in_order_after_those_of_the_line():
    answered = on_standard_input(b"images/a\n\nimages/absent.png\nimages/b.png\n", "images/b.png")
    assert answered.returncode == 1
    names = [line.split()[0] for line in answered.stdout.decode().splitlines()]
    assert names == [f"images/{name}" for name in ("b.png", "a/deep/green.PNG", "a/red.jpg", "b.png")]
    assert b"absent.png: no such file" in answered.stderr
    assert b"1 of 5 images could not be read" in answered.stderr


def test_nothing_on_standard_input_is_a_sentence():
    answered = on_standard_input(b"")
    assert answered.returncode == 2
    assert b"file is empty" in answered.stderr


def test_each_image_is_answered_before_the_next_one_is_named():
    command = [sys.executable, SCRIPT, "net.onnx", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for name, label in (("images/b.png", "blue"), ("images/a/red.jpg", "red")):
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
            assert process.stdout.readline().split()[:2] == [name, label]
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_brackets_in_a_name_are_no_markup_and_a_line_break_stays_in_its_line(script):
    draw("[bold][b]/[link]\n.png")
    Path("[bold][b]/[none].png").write_text("not an image")
    status, out, error = script("predict net.onnx '[bold][b]'")
    assert status == 1
    assert out.count("\n") == 1
    assert out.split()[:2] == [r"[bold][b]/[link]\n.png", "red"]
    assert "[bold][b]/[none].png: is no image" in error


def test_what_cannot_be_read_is_named_and_counted_and_the_others_are_answered(script):
    Path("images/c.jpg").write_text("not an image")
    Path("images/d.png").write_bytes(b"")
    status, out, error = script("predict net.onnx images")
    assert status == 1
    assert len(out.splitlines()) == 3
    assert "c.jpg: is no image" in error
    assert "d.png: file is empty" in error
    assert "2 of 5 images could not be read" in error


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("net.onnx text.jpg", "not one of 1 images could be read"),
        ("bad.onnx empty", "empty: holds no image"),  # which is named before the model is opened
        ("bad.onnx absent", "absent: no such file or folder"),
        ("net.onnx images --top 0", "top=0"),
        ("net.onnx images --threads 0", "threads=0"),
        ("net.onnx", "images"),
    ],
)
def test_nothing_that_can_be_answered_is_status_2(refused, words, sentence):
    Path("empty").mkdir()
    for name in ("text.jpg", "bad.onnx"):
        Path(name).write_text("not an image, and no model")
    assert sentence in refused(f"predict {words}")


IN_THIS_PROCESS = """
import runpy, sys
try:
    runpy.run_path(sys.argv.pop(1), run_name="__main__")
except SystemExit as stop:
    heavy = ("keras", "torch", "tensorflow", "jax", "pandas", "scipy", "sklearn", "matplotlib", "h5py", "onnx")
    print(stop.code, [name for name in heavy if name in sys.modules])
"""


def test_an_onnx_file_is_answered_without_keras_torch_or_tensorflow():
    command = [sys.executable, "-c", IN_THIS_PROCESS, SCRIPT, "net.onnx", "images"]
    answered = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert answered.stdout.splitlines()[-1] == "0 []", answered.stderr
