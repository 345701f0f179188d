"""Weights of PyTorch modules, read from their files and set in the Keras model of the same rows."""

import sys

import keras
import numpy as np
import pytest

from kerastrash.backends import read_torch_state
from kerastrash.errors import ModelError
from kerastrash.models import Bottleneck, Conv, InvertedResidual, Pool, build_model, load_torch_state

torch = pytest.importorskip("torch")
nn = torch.nn
SIZE = 18  # odd sides, 9 and 5 pixels, follow
STEM = Conv(16, kernel=3, stride=2)


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias and its norm."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Plain(nn.Module):
    """A net whose children's alphabetical order is not the net's, and whose classifier is a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*convolution(3, 16, 3, 2), nn.ReLU())
        self.block = nn.Module()
        self.block.expand, self.block.bn1 = convolution(16, 32)
        self.block.depthwise, self.block.bn2 = convolution(32, 32, 3, groups=32)
        self.block.contract, self.block.bn3 = convolution(32, 24)
        self.classifier = nn.Conv2d(24, 6, 1)

    def forward(self, x):
        block = self.block
        x = torch.relu(block.bn1(block.expand(self.stem(x))))
        x = torch.relu(block.bn2(block.depthwise(x)))
        return self.classifier(block.bn3(block.contract(x)).mean((2, 3), keepdim=True)).flatten(1)


class Residual(nn.Module):
    """The names and shapes of a net of two bottlenecks, as torchvision has them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(3, 16, 3)
        self.layer1 = nn.ModuleList()
        for inputs, squeezed, outputs in ((16, 16, 64), (64, 24, 96)):
            block = nn.Module()
            block.conv1, block.bn1 = convolution(inputs, squeezed)
            block.conv2, block.bn2 = convolution(squeezed, squeezed, 3)
            block.conv3, block.bn3 = convolution(squeezed, outputs)
            block.downsample = nn.Sequential(*convolution(inputs, outputs))
            self.layer1.append(block)
        self.fc = nn.Linear(96, 6)


NETS = {
    "plain": ((STEM, InvertedResidual(3, 2, 24), Pool()), Plain),
    # in the first block the last convolution and the shortcut have one shape
    "bottleneck": ((STEM, Bottleneck(16, 64), Bottleneck(24, 96, stride=2), Pool()), Residual),
}


def make(name: str) -> tuple[keras.Model, nn.Module]:
    """The Keras and the PyTorch form of a net; the latter's weights and statistics are random."""
    rows, build = NETS[name]
    torch.manual_seed(7)
    net = build().eval()
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            tensor.uniform_(0.5, 1.5)
    return build_model(rows, SIZE, include_preprocessing=False), net


@pytest.fixture
def plain() -> tuple[keras.Model, nn.Module]:
    return make("plain")


def error(model: keras.Model, net: nn.Module) -> float:
    """The largest difference of the logits, relative to the largest of them."""
    images = np.random.default_rng(2).standard_normal((2, SIZE, SIZE, 3)).astype("float32")
    with torch.no_grad():
        expected = net(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    found = keras.ops.convert_to_numpy(model(images, training=False))
    return np.abs(found - expected).max() / np.abs(expected).max()


def in_order(state: dict, order: str) -> dict:
    return dict(state) if order == "of PyTorch" else dict(sorted(state.items()))


ORDERS = pytest.mark.parametrize("order", ["of PyTorch", "by name"])


@ORDERS
def test_tensors_of_one_shape_find_their_layers_in_a_model_opened_from_its_file_too(tmp_path, order):
    model, net = make("bottleneck")
    model.save(tmp_path / "net.keras")
    state = net.state_dict()
    for filled in (model, keras.saving.load_model(tmp_path / "net.keras")):
        load_torch_state(filled, in_order(state, order))
        for layer, key in (("conv1", "conv1"), ("conv3", "conv3"), ("shortcut_conv", "downsample.0")):
            expected = state[f"layer1.0.{key}.weight"].numpy().transpose(2, 3, 1, 0)
            np.testing.assert_array_equal(filled.get_layer(f"row02_{layer}").get_weights()[0], expected)
        for index, part in enumerate(("weight", "bias", "running_mean", "running_var")):
            found = filled.get_layer("row02_shortcut_bn").get_weights()[index]
            np.testing.assert_array_equal(found, state[f"layer1.0.downsample.1.{part}"].numpy())


def test_arrays_and_tensors_in_16_bits_are_taken(plain):
    model, net = plain
    assert error(model, net) > 1e-2
    load_torch_state(model, {key: value.numpy() for key, value in net.state_dict().items()})
    assert error(model, net) < 1e-5
    load_torch_state(model, {key: value.bfloat16() for key, value in net.state_dict().items()})
    stem = net.stem[0].weight.bfloat16().float().detach().numpy()
    np.testing.assert_array_equal(model.get_layer("row01_conv").get_weights()[0], stem.transpose(2, 3, 1, 0))


@ORDERS
@pytest.mark.parametrize(
    ("name", "key", "shape", "layer"),
    [
        ("plain", "classifier.weight", (10, 24, 1, 1), r"logits.*\(6, 24\)"),
        ("bottleneck", "layer1.1.downsample.0.weight", (88, 64, 1, 1), r"row03_shortcut_conv.*\(96, 64, 1, 1\)"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named_and_nothing_is_set(name, key, shape, layer, order):
    model, net = make(name)
    before = model.get_weights()
    with pytest.raises(ModelError) as refusal:
        load_torch_state(model, in_order(net.state_dict() | {key: torch.zeros(shape)}, order))
    assert str(refusal.value).startswith(f"{key}: shape {shape} does not fit layer")
    assert refusal.match(layer)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


@ORDERS
def test_too_few_and_too_many_tensors_are_named(plain, order):
    model, state = plain[0], plain[1].state_dict()
    fewer = {key: value for key, value in state.items() if not key.startswith("classifier")}
    more = dict(state) | {"second_head.weight": torch.zeros(6, 24)}
    with pytest.raises(ModelError, match=r"none is left for layer logits, which takes \(6, 24\)"):
        load_torch_state(model, in_order(fewer, order))
    with pytest.raises(ModelError, match=r"no layer is left for second_head.weight of shape \(6, 24\)"):
        load_torch_state(model, in_order(more, order))


def test_a_checkpoint_given_for_its_state_is_refused(plain):
    with pytest.raises(ModelError, match="epoch: str is no tensor"):
        load_torch_state(plain[0], {"epoch": "three"})


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_pt_file_and_a_checkpoint_are_read_in_order(plain, tmp_path, wrapper):
    state = plain[1].state_dict()
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "net.pt")
    read = read_torch_state(tmp_path / "net.pt")
    assert list(read) == list(state)
    assert all(np.array_equal(read[key], state[key]) for key in state)


def test_a_safetensors_file_gets_its_lost_order_back(plain, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    model, net = plain
    safetensors.save_file(net.state_dict(), tmp_path / "net.safetensors")
    read = read_torch_state(tmp_path / "net.safetensors")
    assert list(read) != list(net.state_dict())
    load_torch_state(model, read)
    assert error(model, net) < 1e-5


def cut_short(path) -> None:
    torch.save(Plain().state_dict(), path)
    path.write_bytes(path.read_bytes()[:4000])


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("net.pt", lambda path: torch.save(Plain(), path), r"not a plain file of tensors .*state_dict"),  # runs code
        ("net.pt", cut_short, "not a plain file of tensors"),
        ("net.pt", lambda path: path.write_bytes(b"no weights at all"), "not a"),
        ("net.pth", lambda path: path.write_bytes(b"no weights at all"), "not a"),
        ("net.safetensors", lambda path: path.write_bytes(b"no weights at all"), "not a"),
        ("net.pt", lambda path: torch.save([1, 2], path), "holds no state_dict"),
        ("net.pt", lambda path: None, "no such file"),
        ("net.h5", lambda path: path.touch(), r"\.h5 is no suffix of weights; give \.pt, \.pth or \.safetensors"),
    ],
)
def test_a_file_that_holds_no_state_is_refused(tmp_path, name, write, sentence):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    write(tmp_path / name)
    with pytest.raises(ModelError, match=f"{name}: {sentence}"):
        read_torch_state(tmp_path / name)


def test_a_missing_safetensors_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "net.safetensors").touch()
    with pytest.raises(ModelError, match=r"pip install kerastrash\[safetensors\]"):
        read_torch_state(tmp_path / "net.safetensors")
