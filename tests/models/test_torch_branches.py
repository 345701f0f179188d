"""Weights of PyTorch blocks with a shortcut or two branches: Keras lists their layers in another order than PyTorch."""

import keras
import numpy as np
import pytest

from kerastrash.errors import ModelError
from kerastrash.models import BasicBlock, Bottleneck, Conv, Pool, ShuffleUnit, build_model, load_torch_state

torch = pytest.importorskip("torch")
nn = torch.nn
SIZE = 18  # odd sides, 9 and 5 pixels, follow


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias and its norm."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Residual(nn.Module):
    """ResNet's block under torchvision's names; with `pooled`, ResNet-D's."""

    def __init__(self, inputs: int, filters: list[tuple[int, int, int]], pooled: bool) -> None:
        super().__init__()
        self.count, outputs, stride = len(filters), filters[-1][0], max(stride for *_, stride in filters)
        entering = inputs
        for number, (channels, kernel, step) in enumerate(filters, 1):
            conv, norm = convolution(entering, channels, kernel, step)
            setattr(self, f"conv{number}", conv)
            setattr(self, f"bn{number}", norm)
            entering = channels
        if stride > 1 or inputs != outputs:
            pool = [nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False)] if pooled else []
            self.downsample = nn.Sequential(*pool, *convolution(inputs, outputs, stride=1 if pooled else stride))

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        for number in range(1, self.count + 1):
            x = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x))
            x = torch.relu(x) if number < self.count else x
        return torch.relu(x + shortcut)


class Unit(nn.Module):
    """ShuffleNetV2's unit under torchvision's names."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half, self.stride = outputs // 2, stride
        entering = half if stride == 1 else inputs
        self.branch1 = nn.Sequential()
        if stride == 2:
            depthwise = convolution(inputs, inputs, 3, 2, groups=inputs)
            self.branch1 = nn.Sequential(*depthwise, *convolution(inputs, half), nn.ReLU())
        self.branch2 = nn.Sequential(
            *convolution(entering, half),
            nn.ReLU(),
            *convolution(half, half, 3, stride, groups=half),
            *convolution(half, half),
            nn.ReLU(),
        )

    def forward(self, x):
        kept, x = x.chunk(2, 1) if self.stride == 1 else (self.branch1(x), x)
        x = torch.cat((kept, self.branch2(x)), 1)
        return x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


class Net(nn.Module):
    """A stem of 16 channels, the blocks, the mean, a classifier."""

    def __init__(self, blocks: list[nn.Module], outputs: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(3, 16, 3, 2)
        self.layer1 = nn.Sequential(*blocks)
        self.fc = nn.Linear(outputs, 6)

    def forward(self, x):
        return self.fc(self.layer1(torch.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


STEM = Conv(16, kernel=3, stride=2)
NETS = {
    "basic": (
        (STEM, BasicBlock(16), BasicBlock(32, stride=2), Pool()),
        lambda: Net([Residual(16, [(16, 3, 1), (16, 3, 1)], False), Residual(16, [(32, 3, 2), (32, 3, 1)], False)], 32),
    ),
    "basic, pooled": (
        (STEM, BasicBlock(32, stride=2, pooled_shortcut=True), BasicBlock(40, pooled_shortcut=True), Pool()),
        lambda: Net(
            [
                Residual(16, [(32, 3, 2), (32, 3, 1)], True),
                Residual(32, [(40, 3, 1), (40, 3, 1)], False),  # timm's has an identity for a pool
            ],
            40,
        ),
    ),
    "bottleneck": (  # in the first block the last convolution and the shortcut have one shape
        (STEM, Bottleneck(16, 64), Bottleneck(24, 96, stride=2), Pool()),
        lambda: Net(
            [
                Residual(16, [(16, 1, 1), (16, 3, 1), (64, 1, 1)], False),
                Residual(64, [(24, 1, 1), (24, 3, 2), (96, 1, 1)], False),
            ],
            96,
        ),
    ),
    "shuffle": (
        (STEM, ShuffleUnit(32, stride=2), ShuffleUnit(32), ShuffleUnit(64, stride=2), Pool()),
        lambda: Net([Unit(16, 32, 2), Unit(32, 32, 1), Unit(32, 64, 2)], 64),
    ),
}


@pytest.fixture(params=NETS)
def pair(request) -> tuple[keras.Model, nn.Module]:
    """The Keras and the PyTorch form of a net; the latter's weights and statistics are random."""
    rows, make = NETS[request.param]
    torch.manual_seed(7)
    net = make().eval()
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            tensor.uniform_(0.5, 1.5)
    return build_model(rows, SIZE, include_preprocessing=False), net


def error(model: keras.Model, net: nn.Module) -> float:
    images = np.random.default_rng(2).standard_normal((2, SIZE, SIZE, 3)).astype("float32")
    with torch.no_grad():
        expected = net(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    found = keras.ops.convert_to_numpy(model(images, training=False))
    return np.abs(found - expected).max() / np.abs(expected).max()


def in_order(net: nn.Module, order: str) -> dict:
    state = net.state_dict()
    return dict(state) if order == "of PyTorch" else dict(sorted(state.items()))


ORDERS = pytest.mark.parametrize("order", ["of PyTorch", "by name"])


@ORDERS
def test_each_tensor_finds_its_branch(pair, order):
    model, net = pair
    assert error(model, net) > 1e-2
    load_torch_state(model, in_order(net, order))
    assert error(model, net) < 1e-5


def test_a_model_opened_from_its_file_takes_them_too(pair, tmp_path):
    model, net = pair
    model.save(tmp_path / "net.keras")
    opened = keras.saving.load_model(tmp_path / "net.keras")
    load_torch_state(opened, net.state_dict())
    assert error(opened, net) < 1e-5


@ORDERS
def test_a_shortcut_that_does_not_fit_is_named(order):
    rows, make = NETS["bottleneck"]
    state = make().state_dict() | {"layer1.1.downsample.0.weight": torch.zeros(88, 64, 1, 1)}
    state = state if order == "of PyTorch" else dict(sorted(state.items()))
    with pytest.raises(
        ModelError, match=r"^layer1\.1\.downsample\.0\.weight: .* layer row03_shortcut_conv, which takes \(96, 64, 1, 1"
    ):
        load_torch_state(build_model(rows, SIZE), state)
