"""Weights of PyTorch modules, read from their files and set in the Keras model of the same rows."""

import builtins

import keras
import numpy as np
import pytest

from kerastrash.errors import ModelError
from kerastrash.models import Conv, InvertedResidual, Pool, build_model, load_torch_state, read_torch_state

torch = pytest.importorskip("torch")

ROWS = (Conv(16, kernel=3, stride=2), InvertedResidual(3, 2, 24), Pool())


class Net(torch.nn.Module):
    """The PyTorch form of ROWS, its children named so that their alphabetical order is not the net's."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        block = nn.Module()
        block.expand, block.bn1 = nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32)
        block.depthwise, block.bn2 = nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False), nn.BatchNorm2d(32)
        block.contract, block.bn3 = nn.Conv2d(32, 24, 1, bias=False), nn.BatchNorm2d(24)
        self.block, self.classifier = block, nn.Conv2d(24, 6, 1)

    def forward(self, x):
        block = self.block
        x = self.stem(x)
        x = torch.relu(block.bn1(block.expand(x)))
        x = torch.relu(block.bn2(block.depthwise(x)))
        x = block.bn3(block.contract(x)).mean((2, 3), keepdim=True)
        return self.classifier(x).flatten(1)


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    torch.manual_seed(7)
    net = Net()
    for norm in (module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            tensor.uniform_(0.5, 1.5)
    return net.eval()


@pytest.fixture
def model() -> keras.Model:
    return build_model(ROWS, 16, include_preprocessing=False)


def agree(model: keras.Model, net: torch.nn.Module) -> bool:
    images = np.random.default_rng(2).standard_normal((2, 16, 16, 3)).astype("float32")
    with torch.no_grad():
        expected = net(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    found = keras.ops.convert_to_numpy(model(images, training=False))
    return np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_tensors_of_a_module_give_its_outputs(net, model):
    assert not agree(model, net)
    load_torch_state(model, net.state_dict())
    assert agree(model, net)


def test_arrays_give_the_outputs_too(net, model):
    load_torch_state(model, {key: value.numpy() for key, value in net.state_dict().items()})
    assert agree(model, net)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_pt_file_and_a_checkpoint_are_read_in_order(net, model, tmp_path, wrapper):
    state = net.state_dict()
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "net.pt")
    read = read_torch_state(tmp_path / "net.pt")
    assert list(read) == list(state)
    load_torch_state(model, read)
    assert agree(model, net)


def test_a_safetensors_file_gets_its_lost_order_back(net, model, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(net.state_dict(), tmp_path / "net.safetensors")
    read = read_torch_state(tmp_path / "net.safetensors")
    assert list(read) != list(net.state_dict())
    load_torch_state(model, read)
    assert agree(model, net)


def test_tensors_in_16_bits_are_taken(net, model):
    load_torch_state(model, {key: value.bfloat16() for key, value in net.state_dict().items()})
    stem = net.stem[0].weight.bfloat16().float().detach().numpy()
    np.testing.assert_array_equal(model.get_layer("row01_conv").get_weights()[0], stem.transpose(2, 3, 1, 0))


@pytest.mark.parametrize("order", ["of PyTorch", "by name"])
def test_the_first_tensor_that_does_not_fit_is_named_and_nothing_is_set(net, model, order):
    state = dict(net.state_dict()) | {"classifier.weight": torch.zeros(10, 24, 1, 1)}
    state = state if order == "of PyTorch" else dict(sorted(state.items()))
    before = model.get_weights()
    with pytest.raises(
        ModelError, match=r"classifier.weight: shape \(10, 24, 1, 1\) does not fit layer logits.*\(6, 24\)"
    ):
        load_torch_state(model, state)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("order", ["of PyTorch", "by name"])
def test_too_few_and_too_many_tensors_are_named(net, model, order):
    state = net.state_dict()
    fewer = {key: value for key, value in state.items() if not key.startswith("classifier")}
    more = dict(state) | {"second_head.weight": torch.zeros(6, 24)}
    if order == "by name":
        fewer, more = dict(sorted(fewer.items())), dict(sorted(more.items()))
    with pytest.raises(ModelError, match=r"none is left for layer logits, which takes \(6, 24\)"):
        load_torch_state(model, fewer)
    with pytest.raises(ModelError, match=r"no layer is left for second_head.weight of shape \(6, 24\)"):
        load_torch_state(model, more)


def test_a_checkpoint_given_for_its_state_is_refused(net, model):
    with pytest.raises(ModelError, match="epoch: str is no tensor"):
        load_torch_state(model, {"epoch": "three"})


def test_a_file_that_would_run_code_is_refused(net, tmp_path):
    torch.save(net, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=r"net\.pt: not a plain file of tensors .*state_dict"):
        read_torch_state(tmp_path / "net.pt")


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.safetensors"])
def test_a_damaged_file_is_refused(tmp_path, name):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match=f"{name}: not a"):
        read_torch_state(tmp_path / name)


def test_a_file_cut_short_is_refused(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / "whole.pt")
    (tmp_path / "half.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:4000])
    with pytest.raises(ModelError, match=r"half\.pt: not a plain file of tensors"):
        read_torch_state(tmp_path / "half.pt")


def test_a_file_without_tensors_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ModelError, match=r"list\.pt: holds no state_dict"):
        read_torch_state(tmp_path / "list.pt")


def test_an_absent_file_and_an_unknown_suffix_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.pt: no such file"):
        read_torch_state(tmp_path / "absent.pt")
    (tmp_path / "net.h5").touch()
    with pytest.raises(ModelError, match=r"net\.h5: \.h5 is no suffix of weights; give \.pt, \.pth or \.safetensors"):
        read_torch_state(tmp_path / "net.h5")


def test_a_missing_safetensors_package_is_named(tmp_path, monkeypatch):
    real_import = builtins.__import__

    def without_safetensors(name, *arguments, **keywords):
        if name.startswith("safetensors"):
            raise ImportError(name)
        return real_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_safetensors)
    (tmp_path / "net.safetensors").touch()
    with pytest.raises(ModelError, match=r"pip install kerastrash\[safetensors\]"):
        read_torch_state(tmp_path / "net.safetensors")
