"""The order of cuts: lowest scores first, shares and not scores across layers, widths in multiples, costs exact."""

import keras
import numpy as np
import pytest

from kerastrash.compress.channels import ChannelGroups, channel_groups
from kerastrash.compress.costs import model_macs
from kerastrash.compress.cuts import Cuts, group_scores, narrow, order_cuts, widths
from kerastrash.models import Conv, InvertedResidual, Pool, build_model, preset_names

SIZE = 16


@pytest.fixture
def net() -> keras.Model:
    """Two like convolutions of 32 channels between others, scales drawn."""
    keras.utils.set_random_seed(6)
    model = build_model((Conv(16, kernel=3), Conv(32), Conv(32), Conv(32), Pool()), SIZE, classes=3)
    for number, width in enumerate((16, 32, 32, 32), 1):
        scale_norm(model, number, np.random.default_rng(number).uniform(0.5, 1.5, width))
    return model


def scale_norm(model: keras.Model, number: int, scales: np.ndarray) -> None:
    norm = model.get_layer(f"row{number:02d}_bn")
    norm.set_weights([scales, *norm.get_weights()[1:]])


def ordered(model: keras.Model, criterion: str = "bn_scale", multiple: int = 8) -> tuple[ChannelGroups, Cuts]:
    groups = channel_groups(model)
    return groups, order_cuts(groups, group_scores(model, groups, criterion), "macs", multiple)


def channels_of(groups: ChannelGroups, name: str) -> np.ndarray:
    return next(one.leaving for one in groups.layers if one.layer.name == name)


@pytest.mark.parametrize(
    ("changed", "asked", "criterion"),
    [
        ("row03_bn", "row03_conv", "bn_scale"),
        ("row03_conv", "row03_conv", "l2"),
        ("row02_squeeze", "row02_squeeze", "bn_scale"),  # without a batch norm its filters count
    ],
)
def test_the_smallest_scales_of_the_batch_norm_or_filters_go_first(changed, asked, criterion):
    rows = (Conv(32), InvertedResidual(3, 2, 16, squeeze_excite=True), Conv(32), Pool())
    model, small, rng = build_model(rows, SIZE, classes=3), [3, 5, 7, 11, 12, 13, 14, 15], np.random.default_rng(0)
    layer = model.get_layer(changed)
    first, *others = layer.get_weights()
    drawn = rng.uniform(0.5, 1, first.shape) * rng.choice([-1, 1], first.shape)
    drawn[..., small] *= 0.1
    layer.set_weights([drawn, *others])
    groups, cuts = ordered(model, criterion)
    numbers = cuts.numbers[channels_of(groups, asked)]
    assert sorted(np.argsort(numbers, kind="stable")[:8].tolist()) == small


def test_layers_compare_by_shares_not_by_the_size_of_their_scales(net):
    _, before = ordered(net)
    scale_norm(net, 2, 1000 * net.get_layer("row02_bn").get_weights()[0])
    _, after = ordered(net)
    np.testing.assert_array_equal(before.numbers, after.numbers)


def test_of_two_like_layers_the_one_with_the_more_useless_channels_goes_first(net):
    scale_norm(net, 2, np.ones(32))
    scale_norm(net, 3, np.repeat([0.01, 1], [8, 24]))
    groups, cuts = ordered(net)
    assert set(np.flatnonzero(cuts.numbers == 0)) <= set(channels_of(groups, "row03_conv"))


@pytest.mark.parametrize("criterion", ["bn_scale", "l2"])
def test_costs_are_those_of_the_nets_that_come_out(net, criterion):
    groups, cuts = ordered(net, criterion)
    most = len(cuts.costs) - 1
    assert most == (16 + 3 * 32) // 8 - 4
    assert (np.diff(cuts.costs) < 0).all()
    for count in (0, 1, most // 2, most):
        assert model_macs(narrow(net, groups, cuts.kept(count))) == cuts.costs[count]
    assert set(widths(narrow(net, groups, cuts.kept(most))).values()) == {8, 3}


def test_widths_become_multiples_and_none_falls_below():
    model = build_model((Conv(20), Conv(4), Conv(28), Pool()), SIZE, classes=3)
    groups, cuts = ordered(model)
    nets = (widths(narrow(model, groups, cuts.kept(count))) for count in range(len(cuts.costs)))
    first, second, third = zip(*([net[f"row0{number}_conv"] for number in (1, 2, 3)] for net in nets), strict=True)
    assert (first[0], third[0]) == (20, 28) and (first[-1], third[-1]) == (8, 8)
    assert (set(first), set(second), set(third)) == ({20, 16, 8}, {4}, {28, 24, 16, 8})
    _, by_four = ordered(model, multiple=4)
    assert len(by_four.costs) == 1 + 4 + 0 + 6


def test_a_net_of_dead_channels_can_still_be_ordered(net):
    for number, width in enumerate((16, 32, 32, 32), 1):
        scale_norm(net, number, np.zeros(width))
    assert len(ordered(net)[1].costs) == 11


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_halves(name):
    model = build_model(name, 32, width=0.5, depth=0.4)
    groups, cuts = ordered(model)
    half = int(np.argmax(cuts.costs <= cuts.costs[0] / 2))
    assert half > 0
    narrowed, before = narrow(model, groups, cuts.kept(half)), widths(model)
    assert all(width % 8 == 0 or width == before[layer] for layer, width in widths(narrowed).items())
    logits = keras.ops.convert_to_numpy(narrowed(np.zeros((2, 32, 32, 3), "float32")))
    assert logits.shape == (2, 6) and np.isfinite(logits).all()
