"""Rows: what a field may hold, what a row costs, how width and depth change a net."""

import dataclasses
import re
import subprocess
import sys

import pytest

from kerastrash import models
from kerastrash.errors import ModelError
from kerastrash.models import BasicBlock, Bneck, Bottleneck, Conv, Dense, InvertedResidual, Pool, ShuffleUnit
from kerastrash.models.base import Row, divisible

NET = (
    Conv(16, kernel=3, stride=2),
    InvertedResidual(3, 1, 16),
    InvertedResidual(3, 4, 24, stride=2),
    InvertedResidual(5, 3, 24),
    InvertedResidual(3, 3, 40, squeeze_excite=True),
    Conv(480),
    Pool(),
)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Conv(0), "conv: channels is 0; give a whole number of at least 1"),
        (lambda: Conv(8.0), "conv: channels is 8.0; give a whole number"),
        (lambda: Conv(True), "conv: channels is True"),
        (lambda: Conv(8, kernel=4), "conv: kernel is 4; give an odd whole number"),
        (lambda: Conv(8, stride=3), "conv: stride is 3; give 1 or 2"),
        (lambda: Conv(8, activation="tanh"), "conv: activation is 'tanh'; give one of relu, relu6, hard_swish"),
        (lambda: Conv(8, epsilon=0), "conv: epsilon is 0; give a number above 0"),
        (lambda: InvertedResidual(3, -1, 8), "inverted_residual: expansion is -1"),
        (lambda: InvertedResidual(3, float("inf"), 8), "inverted_residual: expansion is inf"),
        (lambda: InvertedResidual(3, 1, 8, squeeze_excite=1), "squeeze_excite is 1; give true or false"),
        (lambda: Bneck(3, 0, 8), "bneck: expanded is 0"),
        (lambda: Dense(-5), "dense: units is -5"),
        (lambda: Conv(8, padding="valid"), "conv: padding is 'valid'; give symmetric or same"),
        (lambda: models.MBConv(3, 6, 8, activation="tanh"), "mbconv: activation is 'tanh'"),
        (lambda: ShuffleUnit(15), "shuffle_unit: channels is 15; give an even whole number of at least 2"),
        (lambda: BasicBlock(8, pooled_shortcut=1), "basic_block: pooled_shortcut is 1; give true or false"),
        (lambda: Bottleneck(0, 8), "bottleneck: squeezed is 0"),
        (lambda: models.MaxPool(stride=3), "max_pool: stride is 3; give 1 or 2"),
        (lambda: Pool(keep_map="yes"), "pool: keep_map is 'yes'"),
    ],
)
def test_a_field_out_of_range_is_refused_with_its_allowed_values(make, sentence):
    with pytest.raises(ModelError, match=re.escape(sentence)):
        make()


def test_rows_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Pool().keep_map = True


@pytest.mark.parametrize(("value", "rounded"), [(1, 8), (11, 16), (12, 16), (18, 24), (37.5, 40), (40, 40), (184, 184)])
def test_channels_are_rounded_to_eights_and_lose_no_more_than_a_tenth(value, rounded):
    assert divisible(value) == rounded


def test_counts_of_a_net_worked_out_by_hand():
    rows = (Conv(8, kernel=3, stride=2), Pool(), Dense(10))
    assert models.parameters(rows, classes=2) == (3 * 8 * 9 + 16) + (8 * 10 + 10) + (10 * 2 + 2)
    assert models.macs(rows, 7, classes=2) == 3 * 8 * 9 * 4 * 4 + 8 * 10 + 10 * 2
    assert models.map_sizes(rows, 7) == (7, 4, 1, 1)


HALF = 8 * 8 + 9 * 8 + 8 * 8  # 1x1, depthwise, 1x1
STRIDED = 9 * 12 + 12 * 8 + 9 * 8 + 8 * 8  # what works on the smaller map
PROJECTED = 9 * 8 * 16 + 9 * 16 * 16 + 8 * 16


@pytest.mark.parametrize(
    ("row", "channels", "parameters", "macs"),
    [
        (ShuffleUnit(16), 16, HALF + 6 * 8, HALF * 16),
        (ShuffleUnit(16, stride=2), 12, STRIDED + 12 * 8 + 2 * (12 + 4 * 8), STRIDED * 4 + 12 * 8 * 16),
        (BasicBlock(8), 8, 2 * 9 * 64 + 4 * 8, 2 * 9 * 64 * 16),
        (BasicBlock(16, stride=2), 8, PROJECTED + 6 * 16, PROJECTED * 4),
        (BasicBlock(16, stride=2, pooled_shortcut=True), 8, PROJECTED + 6 * 16, PROJECTED * 4),
    ],
)
def test_costs_of_a_block_of_two_branches_on_four_pixels_worked_out_by_hand(row, channels, parameters, macs):
    assert row.costs(channels, 4) == (parameters, macs)


def test_a_unit_that_keeps_half_of_its_channels_takes_as_many_as_it_gives():
    with pytest.raises(ModelError, match=r"row 2: shuffle_unit of stride 1 takes .* 16, not 8; give"):
        models.parameters((Conv(8), ShuffleUnit(16), Pool()))


def test_layers_of_timm_s_bottleneck_with_a_pooled_shortcut_are_counted():
    stem = (Conv(32, kernel=3, stride=2), Conv(32, kernel=3), Conv(64, kernel=3), models.MaxPool())
    stages = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
    blocks = tuple(
        Bottleneck(squeezed, 4 * squeezed, stride if place == 0 else 1, pooled_shortcut=True)
        for squeezed, length, stride in stages
        for place in range(length)
    )
    rows = (*stem, *blocks, Pool())
    assert (models.parameters(rows), models.layers(rows)) == (23_539_558, 228)  # timm's own of resnet50d


def test_padding_is_set_wherever_a_row_pads():
    rows = models.with_fields(models.preset("mobilenet_v3_small"), padding="same")
    assert {row.padding for row in rows if isinstance(row, Conv | Bneck)} == {"same"}
    assert models.with_fields(rows, padding="symmetric") == models.preset("mobilenet_v3_small")
    with pytest.raises(ModelError, match="padding is 'full'; give symmetric or same"):
        models.with_fields(rows, padding="full")


def test_published_costs_are_found():
    published = {"shufflenet_v2_x1_0": 145, "resnet18": 1814, "resnet50": 4089, "efficientnet_lite0": 385}
    for name, millions in published.items():
        assert round(models.macs(models.preset(name), 224, classes=1000) / 1e6) == millions
    assert models.parameters(models.preset("efficientnet_lite0"), classes=1000) == 4_652_008
    assert round(models.macs(models.preset("mobilenetv3_79"), 156) / 1e6) == 343
    assert round(models.macs(models.preset("mobilenetv3_179"), 224) / 1e6) == 181
    assert models.parameters(models.preset("mobilenet_v3_small"), classes=1000) == 2_542_856  # torchvision's own
    assert models.parameters(models.preset("mobilenet_v3_large"), classes=1000) == 5_483_032


def test_width_scales_stem_blocks_and_head_but_not_the_order():
    wide = models.scale_rows(NET, width=1.5)
    assert [row.channels for row in wide[:-1]] == [24, 24, 40, 40, 64, 720]
    assert [type(row) for row in wide] == [type(row) for row in NET]


@pytest.mark.parametrize(
    ("row", "halved"),
    [
        (Bneck(3, 64, 24), Bneck(3, 32, 16)),
        (Dense(1024), Dense(512)),
        (ShuffleUnit(116, stride=2), ShuffleUnit(64, stride=2)),
        (BasicBlock(64, pooled_shortcut=True), BasicBlock(32, pooled_shortcut=True)),
        (Bottleneck(64, 256), Bottleneck(32, 128)),
        (models.MBConv(3, 6, 24), models.MBConv(3, 6, 16)),
    ],
)
def test_width_scales_each_count_and_keeps_what_a_block_works_on_in_eights(row, halved):
    assert models.scale_rows((row,), width=0.5) == (halved,)


def test_depth_repeats_the_last_row_of_each_stage_with_stride_one():
    deep = models.scale_rows(NET, depth=1.5)
    repeated = InvertedResidual(3, 1, 16)
    assert deep == (NET[0], NET[1], repeated, NET[2], NET[3], NET[3], NET[4], NET[4], *NET[5:])
    doubled = models.scale_rows((InvertedResidual(3, 4, 24, stride=2),), depth=2)
    assert [row.stride for row in doubled] == [2, 1]


def test_depth_drops_rows_from_the_end_of_a_stage_and_keeps_one():
    assert models.scale_rows(NET, depth=0.5) == (*NET[:3], *NET[4:])
    assert models.scale_rows(NET, depth=0.01) == (*NET[:3], *NET[4:])


def test_stages_are_told_apart_before_width_makes_their_channels_equal():
    rows = (InvertedResidual(3, 2, 16), InvertedResidual(3, 2, 24))
    assert [row.channels for row in models.scale_rows(rows, width=0.1, depth=2)] == [8, 8, 8, 8]


def test_costs_are_counted_for_a_new_kind_of_row_without_a_change():
    @dataclasses.dataclass(frozen=True)
    class Doubled(Row):
        kind = "doubled"

        def costs(self, channels, size):
            return 3 * channels + 1, channels * size**2 + 2 * channels * (size // 2) ** 2

        def output_channels(self, channels):
            return channels * 2

        def output_size(self, size):
            return size // 2

    rows = (Doubled(), Pool(keep_map=True), models.Flatten())
    assert models.parameters(rows, classes=1) == 3 + (6 + 1) + (6 + 1)
    assert models.macs(rows, 4, classes=1) == 3 * 16 + 6 * 4 + 6
    assert models.layers(rows) == 4 + 3


def test_importing_the_models_imports_no_backend_but_keras_own():
    code = (
        "import sys, keras; before = set(sys.modules); import kerastrash.models;"
        "print({'torch', 'tensorflow', 'jax', 'safetensors'} & (set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
