"""Weights of PyTorch modules, read from their files and set in the Keras model of the same rows."""

import sys

import keras
import numpy as np
import pytest

from kerastrash.backends import read_torch_state
from kerastrash.errors import ModelError
from kerastrash.models import Conv, Pool, ShuffleUnit, build_model, load_torch_state

torch = pytest.importorskip("torch")
nn = torch.nn
SIZE = 18  # odd sides, 9, 5 and 3 pixels, follow
ROWS = (Conv(16, kernel=3, stride=2), ShuffleUnit(32, stride=2), ShuffleUnit(32), ShuffleUnit(64, stride=2), Pool())


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias and its norm."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Unit(nn.Module):
    """ShuffleNetV2's unit under torchvision's names."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half, self.stride = outputs // 2, stride
        strided = [*convolution(inputs, inputs, 3, 2, inputs), *convolution(inputs, half), nn.ReLU()]
        self.branch1 = nn.Sequential(*strided[: None if stride == 2 else 0])
        expand, middle = convolution(half if stride == 1 else inputs, half), convolution(half, half, 3, stride, half)
        self.branch2 = nn.Sequential(*expand, nn.ReLU(), *middle, *convolution(half, half), nn.ReLU())

    def forward(self, x):
        kept, x = x.chunk(2, 1) if self.stride == 1 else (self.branch1(x), x)
        return torch.cat((kept, self.branch2(x)), 1).unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


class Net(nn.Module):
    """A net whose children's alphabetical order is not the net's, and whose classifier is a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*convolution(3, 16, 3, 2), nn.ReLU())
        self.layer = nn.Sequential(Unit(16, 32, 2), Unit(32, 32, 1), Unit(32, 64, 2))
        self.classifier = nn.Conv2d(64, 6, 1)

    def forward(self, x):
        return self.classifier(self.layer(self.stem(x)).mean((2, 3), keepdim=True)).flatten(1)


@pytest.fixture
def model() -> keras.Model:
    return build_model(ROWS, SIZE, include_preprocessing=False)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """The same net with random weights and statistics."""
    torch.manual_seed(7)
    net = Net().eval()
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            tensor.uniform_(0.5, 1.5)
    return net


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
def test_each_tensor_finds_its_branch_in_a_model_opened_from_its_file_too(model, net, tmp_path, order):
    model.save(tmp_path / "net.keras")
    for filled in (model, keras.saving.load_model(tmp_path / "net.keras")):
        assert error(filled, net) > 1e-2
        load_torch_state(filled, in_order(net.state_dict(), order))
        assert error(filled, net) < 1e-5


def test_arrays_and_tensors_in_16_bits_are_taken(model, net):
    load_torch_state(model, {key: value.numpy() for key, value in net.state_dict().items()})
    assert error(model, net) < 1e-5
    load_torch_state(model, {key: value.bfloat16() for key, value in net.state_dict().items()})
    stem = net.stem[0].weight.bfloat16().float().detach().numpy()
    np.testing.assert_array_equal(model.get_layer("row01_conv").get_weights()[0], stem.transpose(2, 3, 1, 0))


@ORDERS
@pytest.mark.parametrize(
    ("key", "shape", "layer"),
    [
        ("classifier.weight", (10, 64, 1, 1), r"logits.*\(6, 64\)"),
        ("layer.2.branch1.2.weight", (88, 32, 1, 1), r"row04_branch1_project.*\(32, 32, 1, 1\)"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named_and_nothing_is_set(model, net, key, shape, layer, order):
    before = model.get_weights()
    with pytest.raises(ModelError) as refusal:
        load_torch_state(model, in_order(net.state_dict() | {key: torch.zeros(shape)}, order))
    assert str(refusal.value).startswith(f"{key}: shape {shape} does not fit layer")
    assert refusal.match(layer)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


@ORDERS
def test_too_few_and_too_many_tensors_are_named(model, net, order):
    state = net.state_dict()
    fewer = {key: value for key, value in state.items() if not key.startswith("classifier")}
    more = dict(state) | {"second_head.weight": torch.zeros(6, 24)}
    with pytest.raises(ModelError, match=r"none is left for layer logits, which takes \(6, 64\)"):
        load_torch_state(model, in_order(fewer, order))
    with pytest.raises(ModelError, match=r"no layer is left for second_head.weight of shape \(6, 24\)"):
        load_torch_state(model, in_order(more, order))


def test_a_checkpoint_given_for_its_state_is_refused(model):
    with pytest.raises(ModelError, match="epoch: str is no tensor"):
        load_torch_state(model, {"epoch": "three"})


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_pt_file_and_a_checkpoint_are_read_in_order(net, tmp_path, wrapper):
    state = net.state_dict()
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "net.pt")
    read = read_torch_state(tmp_path / "net.pt")
    assert list(read) == list(state)
    assert all(np.array_equal(read[key], state[key]) for key in state)


def test_a_safetensors_file_gets_its_lost_order_back(model, net, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(net.state_dict(), tmp_path / "net.safetensors")
    read = read_torch_state(tmp_path / "net.safetensors")
    assert list(read) != list(net.state_dict())
    load_torch_state(model, read)
    assert error(model, net) < 1e-5


def cut_short(path) -> None:
    torch.save(Net().state_dict(), path)
    path.write_bytes(path.read_bytes()[:4000])


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("net.pt", lambda path: torch.save(Net(), path), r"not a plain file of tensors .*state_dict"),  # runs code
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
