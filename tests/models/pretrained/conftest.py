"""The tensors of torchvision's and timm's checkpoints: key names and shapes, in order, key by key those of both."""

import dataclasses
from collections.abc import Callable, Mapping

import pytest

from kerastrash.models import preset
from kerastrash.models.mobilenet_v3 import Bneck

Layout = dict[str, tuple[int, ...]]


def conv(name: str, outputs: int, inputs: int, kernel: int = 1) -> Layout:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel)}


def norm(name: str, channels: int) -> Layout:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def dense(name: str, outputs: int, inputs: int, *pixel: int) -> Layout:
    return {f"{name}.weight": (outputs, inputs, *pixel), f"{name}.bias": (outputs,)}


def resnet(depths: tuple[int, ...], bottleneck: bool = False, deep: bool = False) -> Layout:
    """torchvision's and timm's alike; `deep` is the D of timm's, whose shortcut begins with a pooling."""
    layout = conv("conv1", 64, 3, 7)
    if deep:
        layout = conv("conv1.0", 32, 3, 3) | norm("conv1.1", 32) | conv("conv1.3", 32, 32, 3) | norm("conv1.4", 32)
        layout |= conv("conv1.6", 64, 32, 3)
    layout |= norm("bn1", 64)
    inputs = 64
    for stage, depth in enumerate(depths, 1):
        width = 32 * 2**stage
        outputs = 4 * width if bottleneck else width
        for block in range(depth):
            wide = [(width, inputs, 3), (width, width, 3)]
            narrow = [(width, inputs, 1), (width, width, 3), (outputs, width, 1)]
            place = f"layer{stage}.{block}"
            for number, shape in enumerate(narrow if bottleneck else wide, 1):
                layout |= conv(f"{place}.conv{number}", *shape) | norm(f"{place}.bn{number}", shape[0])
            if inputs != outputs:
                first = int(deep)
                layout |= conv(f"{place}.downsample.{first}", outputs, inputs)
                layout |= norm(f"{place}.downsample.{first + 1}", outputs)
            inputs = outputs
    return layout | dense("fc", 1000, inputs)


def shufflenet_v2(channels: tuple[int, int, int], head: int = 1024) -> Layout:
    """torchvision's."""
    layout = conv("conv1.0", 24, 3, 3) | norm("conv1.1", 24)
    inputs = 24
    for stage, (outputs, depth) in enumerate(zip(channels, (4, 8, 4), strict=True), 2):
        half = outputs // 2
        for block in range(depth):
            one, two = f"stage{stage}.{block}.branch1", f"stage{stage}.{block}.branch2"
            if block == 0:
                layout |= conv(f"{one}.0", inputs, 1, 3) | norm(f"{one}.1", inputs)
                layout |= conv(f"{one}.2", half, inputs) | norm(f"{one}.3", half)
            layout |= conv(f"{two}.0", half, inputs if block == 0 else half) | norm(f"{two}.1", half)
            layout |= conv(f"{two}.3", half, 1, 3) | norm(f"{two}.4", half)
            layout |= conv(f"{two}.5", half, half) | norm(f"{two}.6", half)
        inputs = outputs
    return layout | conv("conv5.0", head, inputs) | norm("conv5.1", head) | dense("fc", 1000, head)


@dataclasses.dataclass(frozen=True)
class Names:
    """What the parts of a MobileNetV3 block are called: the convolution and its norm, the gate's two convolutions."""

    expand: tuple[str, str]
    depthwise: tuple[str, str]
    gate: tuple[str, str]
    project: tuple[str, str]


TIMM = Names(("conv_pw", "bn1"), ("conv_dw", "bn2"), ("se.conv_reduce", "se.conv_expand"), ("conv_pwl", "bn3"))
TIMM_FIRST = Names(("", ""), ("conv_dw", "bn1"), TIMM.gate, ("conv_pw", "bn2"))


def torchvision_names(expands: bool, gates: bool) -> Names:
    numbers = iter(range(4))

    def pair() -> tuple[str, str]:
        number = next(numbers)
        return f"block.{number}.0", f"block.{number}.1"

    expand = pair() if expands else ("", "")
    depthwise = pair()
    number = next(numbers) if gates else 0
    return Names(expand, depthwise, (f"block.{number}.fc1", f"block.{number}.fc2"), pair())


def mobilenet_v3_block(place: str, names: Names, row: Bneck, inputs: int, squeezed: int) -> Layout:
    def both(part: tuple[str, str], *shape: int) -> Layout:
        return conv(f"{place}.{part[0]}", *shape) | norm(f"{place}.{part[1]}", shape[0])

    layout = both(names.expand, row.expanded, inputs) if row.expanded != inputs else {}
    layout |= both(names.depthwise, row.expanded, 1, row.kernel)
    if row.squeeze_excite:
        layout |= dense(f"{place}.{names.gate[0]}", squeezed, row.expanded, 1, 1)
        layout |= dense(f"{place}.{names.gate[1]}", row.expanded, squeezed, 1, 1)
    return layout | both(names.project, row.channels, row.expanded)


def mobilenet_v3(net: str, timm: bool) -> Layout:
    """Of the paper's table, which the rows hold; torchvision numbers the blocks, timm stages and blocks in them."""
    squeezed = {16: 8, 72: 24, 96: 24, 120: 32, 144: 40, 240: 64, 288: 72, 480: 120, 576: 144, 672: 168, 960: 240}
    blocks = [row for row in preset(net) if isinstance(row, Bneck)]
    layout = conv("conv_stem", 16, 3, 3) | norm("bn1", 16)
    if not timm:
        layout = conv("features.0.0", 16, 3, 3) | norm("features.0.1", 16)
    inputs, stage, block = 16, 0, 0
    for number, row in enumerate(blocks, 1):
        if number > 1:
            stage, block = (stage, block + 1) if row.channels == inputs and stage > 0 else (stage + 1, 0)
        place = f"blocks.{stage}.{block}" if timm else f"features.{number}"
        names = torchvision_names(row.expanded != inputs, row.squeeze_excite)
        if timm:
            names = TIMM_FIRST if number == 1 else TIMM
        layout |= mobilenet_v3_block(place, names, row, inputs, squeezed.get(row.expanded, 0))
        inputs = row.channels
    last, hidden = 6 * inputs, {96: 1024, 160: 1280}[inputs]
    if timm:
        layout |= conv(f"blocks.{stage + 1}.0.conv", last, inputs) | norm(f"blocks.{stage + 1}.0.bn1", last)
        return layout | dense("conv_head", hidden, last, 1, 1) | dense("classifier", 1000, hidden)
    place = f"features.{len(blocks) + 1}"
    layout |= conv(f"{place}.0", last, inputs) | norm(f"{place}.1", last)
    return layout | dense("classifier.0", hidden, last) | dense("classifier.3", 1000, hidden)


LAYOUTS = {
    "shufflenet_v2_x0_5": lambda: shufflenet_v2((48, 96, 192)),
    "shufflenet_v2_x1_0": lambda: shufflenet_v2((116, 232, 464)),
    "shufflenet_v2_x1_5": lambda: shufflenet_v2((176, 352, 704)),
    "shufflenet_v2_x2_0": lambda: shufflenet_v2((244, 488, 976), head=2048),
    "resnet18": lambda: resnet((2, 2, 2, 2)),
    "resnet50": lambda: resnet((3, 4, 6, 3), bottleneck=True),
    "mobilenet_v3_small": lambda: mobilenet_v3("mobilenet_v3_small", timm=False),
    "mobilenet_v3_large": lambda: mobilenet_v3("mobilenet_v3_large", timm=False),
    "resnet18d": lambda: resnet((2, 2, 2, 2), deep=True),
    "resnet18_timm": lambda: resnet((2, 2, 2, 2)),
    "resnet50_timm": lambda: resnet((3, 4, 6, 3), bottleneck=True),
    "mobilenet_v3_small_timm": lambda: mobilenet_v3("mobilenet_v3_small", timm=True),
    "mobilenet_v3_large_timm": lambda: mobilenet_v3("mobilenet_v3_large", timm=True),
}


@pytest.fixture(scope="session")
def layouts() -> Mapping[str, Callable[[], Layout]]:
    """The layout of each registered checkpoint that has to be downloaded from torchvision or timm."""
    return LAYOUTS
