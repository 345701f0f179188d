"""Images of every kind are classified as they look; names of the classes come from where they are known."""

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from kerastrash import Classifier
from kerastrash.data.images import ImageError, square
from kerastrash.errors import ModelError

SIZE = 16
COLOURS = ("red", "green", "blue")


def write_net(path: Path, **description: object) -> Path:
    """Writes a net whose logits are the means of an image's upper half: red / 10, green / 5 and blue / 3."""
    net = onnx.parser.parse_model(f"""
        <ir_version: 8, opset_import: ["": 17]>
        colours (float[any, {SIZE}, {SIZE}, 3] images) => (float[any, 3] outputs)
        <int64[1] top = {{0}}, int64[1] middle = {{{SIZE // 2}}}, int64[1] rows = {{1}}, float[3] parts = {{10, 5, 3}}>
        {{
            upper = Slice(images, top, middle, rows)
            means = ReduceMean<axes = [1, 2], keepdims = 0>(upper)
            outputs = Div(means, parts)
        }}""")
    onnx.helper.set_model_props(net, {"kerastrash": json.dumps(description)})
    onnx.save(net, path)
    return path


def probabilities(rgb: tuple[float, float, float]) -> dict[str, float]:
    """What the net says of an image of this mean colour."""
    powers = np.exp(np.array(rgb) / (10, 5, 3))
    return dict(zip(COLOURS, powers / powers.sum(), strict=True))


@pytest.fixture
def classifier(tmp_path) -> Classifier:
    return Classifier(write_net(tmp_path / "net.onnx", classes=COLOURS))


def encoded(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def test_a_prediction_has_label_and_probabilities_the_most_probable_first(classifier):
    (found,) = classifier.predict(np.full((SIZE, SIZE, 3), (10, 15, 6), "uint8"))
    assert (found.image, found.label) == (None, "green")
    assert found.probabilities == pytest.approx(probabilities((10, 15, 6)), rel=1e-5)
    assert list(found.probabilities) == ["green", "blue", "red"]
    assert found.probability == found.probabilities["green"]
    assert sum(found.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(40, 70), (70, 40), (3, 5), (SIZE, SIZE)])
def test_an_image_of_another_size_is_padded_and_resized_as_for_training(classifier, shape):
    pixels = np.random.default_rng(3).integers(0, 60, (*shape, 3), "uint8")
    upper = square(Image.fromarray(pixels), SIZE)[: SIZE // 2]
    (found,) = classifier.predict(pixels)
    assert found.probabilities == pytest.approx(probabilities(upper.mean((0, 1))), rel=1e-4)


def test_paths_bytes_pillow_images_and_arrays_are_the_same_image(classifier, tmp_path):
    image = Image.new("RGB", (30, 20), (40, 20, 10))
    image.save(tmp_path / "image.png")
    forms = [tmp_path / "image.png", str(tmp_path / "image.png"), encoded(image, "PNG"), image, np.asarray(image)]
    found = classifier.predict(forms)
    assert [one.image for one in found] == [str(tmp_path / "image.png")] * 2 + [None] * 3
    assert all(one.probabilities == found[0].probabilities for one in found)
    alone = [classifier.predict(form) for form in forms]
    assert [len(one) for one in alone] == [1] * 5
    assert all(one[0].probabilities == pytest.approx(found[0].probabilities) for one in alone)


def test_a_batch_array_is_several_images_and_more_than_a_batch_are_answered_in_their_order(classifier):
    batch = np.zeros((3, 8, 8, 3), "uint8")
    batch[0, ..., 0] = batch[1, ..., 1] = batch[2, ..., 2] = 200
    assert [one.label for one in classifier.predict(batch)] == ["red", "green", "blue"]
    assert classifier.predict([]) == []
    ramp = (np.full((4, 4, 3), (level, 0, 0), "uint8") for level in range(70))
    reds = [one.probabilities["red"] for one in classifier.predict(ramp)]
    assert reds == pytest.approx([probabilities((level, 0, 0))["red"] for level in range(70)], rel=1e-4)


PLAIN, GREY, BLACK = (40, 20, 10), (20, 20, 20), (0, 0, 0)
CLEAR = np.zeros((5, 5, 4), "uint8")
CLEAR[..., 0] = 200  # red, but wholly transparent
RED = Image.new("RGB", (9, 9), "red")
KINDS = {
    "RGBA, a quarter transparent": (encoded(Image.new("RGBA", (9, 9), (40, 20, 12, 192)), "PNG"), (30, 15, 9)),
    "WebP": (encoded(Image.new("RGB", (9, 9), PLAIN), "WEBP", lossless=True), PLAIN),
    "animated": (encoded(Image.new("RGB", (9, 9), PLAIN), "GIF", save_all=True, append_images=[RED]), PLAIN),
    "an array of grey": (np.full((5, 5), 20, "uint8"), GREY),
    "an array of one channel": (np.full((5, 5, 1), 20, "uint8"), GREY),
    "an array of four channels": (CLEAR, BLACK),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_is_classified_as_it_looks(classifier, kind):
    image, rgb = KINDS[kind]
    (found,) = classifier.predict(image)
    assert found.probabilities == pytest.approx(probabilities(rgb), rel=1e-4)


@pytest.mark.parametrize(("orientation", "stored"), [(1, "blue above"), (3, "blue below"), (4, "blue below")])
def test_a_photograph_is_turned_as_its_exif_says(classifier, orientation, stored):
    pixels = np.zeros((SIZE, SIZE, 3), "uint8")
    pixels[: SIZE // 2, :, 2] = pixels[SIZE // 2 :, :, 0] = 200
    pixels = pixels if stored == "blue above" else pixels[::-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(pixels)), "PNG", exif=exif)
    for image in (data, Image.open(io.BytesIO(data))):
        assert classifier.predict(image)[0].label == "blue"


@pytest.mark.parametrize(("image", "words"), [
    (b"", "image 1: file is empty"), (b"a text", "image 1: is no image"), (7, "is a int"),
    ("absent.png", r"absent\.png: no such file"),
    (np.zeros((4, 4, 3), "float32"), r"array \(4, 4, 3\) of float32"), (Image.new("F", (4, 4)), "floating-point"),
    (np.zeros((4, 4, 2), "uint8"), r"array \(4, 4, 2\) of uint8"), (np.zeros((0, 4, 3), "uint8"), "without a pixel"),
])  # fmt: skip
def test_what_is_no_image_is_named_with_the_remedy(classifier, image, words):
    with pytest.raises(ImageError, match=rf"{words}.*; (give|replace|check)"):
        classifier.predict([np.zeros((4, 4, 3), "uint8"), image])


def test_a_stream_tells_of_what_cannot_be_read_and_goes_on(classifier):
    unreadable = []
    images = [np.full((4, 4, 3), (200, 0, 0), "uint8"), b"", np.full((4, 4, 3), (0, 0, 200), "uint8")]
    assert [one.label for one in classifier.stream(images, unreadable.append)] == ["red", "blue"]
    assert [error.reason for error in unreadable] == ["file is empty"]


def test_probabilities_of_a_file_that_gives_them_are_left_alone(tmp_path):
    classifier = Classifier(write_net(tmp_path / "net.onnx", classes=COLOURS, softmax=True))
    (found,) = classifier.predict(np.full((4, 4, 3), (2, 1, 1), "uint8"))
    assert found.probabilities == pytest.approx({"red": 0.2, "green": 0.2, "blue": 1 / 3}, rel=1e-5)


def test_classes_given_win_over_those_in_the_file_over_the_sidecar_over_numbers(tmp_path, capsys):
    path, sidecar = write_net(tmp_path / "net.onnx"), tmp_path / "net.onnx.json"
    assert Classifier(path).classes == ("0", "1", "2")
    assert "net.onnx: has no names of its classes" in capsys.readouterr().err
    sidecar.write_text(json.dumps({"classes": ["p", "q", "r"]}))
    assert Classifier(path).classes == ("p", "q", "r")
    sidecar.write_text(json.dumps({"description": {"classes": ["s", "t", "u"]}}))
    assert Classifier(path).classes == ("s", "t", "u")
    write_net(path, classes=COLOURS)
    assert Classifier(path).classes == COLOURS
    assert Classifier(path, classes=["x", "y", "z"]).classes == ("x", "y", "z")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "b"], ["a", "b", "c", "d"]])
def test_names_that_do_not_fit_the_outputs_are_refused(tmp_path, classes):
    path = write_net(tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"net\.onnx: gives 3 outputs, its classes are a, b.*one name for each"):
        Classifier(path, classes)
    (tmp_path / "net.onnx.json").write_text(json.dumps({"classes": classes}))
    with pytest.raises(ModelError, match="one name for each"):
        Classifier(path)


@pytest.mark.parametrize("content", ["[]", '{"classes": 3}', '{"description": null}'])
def test_a_sidecar_without_names_is_passed_over(tmp_path, content):
    path = write_net(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.json").write_text(content)
    assert Classifier(path).classes == ("0", "1", "2")


def test_outputs_that_are_not_finite_are_refused(tmp_path):
    net = onnx.load(write_net(tmp_path / "net.onnx", classes=COLOURS))
    net.graph.initializer[3].float_data[:] = [0.0, 5.0, 3.0]
    onnx.save(net, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"net\.onnx: its outputs are not finite"):
        Classifier(tmp_path / "net.onnx").predict(np.zeros((4, 4, 3), "uint8"))
