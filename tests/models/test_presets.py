"""The presets and their scaled forms: published counts, and models that hold what their rows count."""

import numpy as np
import pytest

from kerastrash import models
from kerastrash.compress.costs import model_macs, model_parameters
from kerastrash.models import build_model

SIZE = 64  # every stride of every net still has a map to work on
PUBLISHED = {  # parameters and layers
    "mobilenetv3_79": (294_854, 79),
    "mobilenetv3_163": (1_741_254, 163),
    "mobilenetv3_179": (2_127_374, 179),
    "mobilenetv3_full": (4_210_998, 227),
    "mobilenet_v3_small": (1_524_006, 209),
    "mobilenet_v3_large": (4_209_718, 255),
    "shufflenet_v2_x0_5": (347_942, 205),
    "shufflenet_v2_x1_0": (1_259_754, 205),
    "shufflenet_v2_x1_5": (2_484_774, 205),
    "shufflenet_v2_x2_0": (5_357_290, 205),
    "resnet18": (11_179_590, 68),
    "resnet50": (23_520_326, 151),
    "resnet18d": (11_198_822, 104),
    "efficientnet_lite0": (3_378_694, 185),
    "efficientnet_lite2": (4_818_758, 240),
}
EACH = pytest.mark.parametrize("name", models.preset_names())


@EACH
def test_a_preset_has_the_published_parameters_and_layers_and_is_built_with_the_costs_that_its_rows_count(name):
    rows, size = models.preset(name), 37
    assert (models.parameters(rows), models.layers(rows)) == PUBLISHED[name]
    assert models.scale_rows(rows, 1.0, 1.0) == models.scale_rows(rows, 1, 1) == rows
    model = build_model(name, size)
    assert (model_parameters(model), model_macs(model)) == (models.parameters(rows), models.macs(rows, size))


@EACH
@pytest.mark.parametrize(("width", "depth"), [(0.35, 1.5), (1.25, 0.5)])
def test_a_scaled_preset_is_built_with_the_costs_that_its_scaled_rows_count(name, width, depth):
    rows = models.scale_rows(models.preset(name), width, depth)
    model = build_model(name, SIZE, classes=3, width=width, depth=depth)
    assert model_parameters(model) == models.parameters(rows, classes=3)
    assert model_parameters(model) != models.parameters(models.preset(name), classes=3)
    assert model_macs(model) == models.macs(rows, SIZE, classes=3)
    assert model.predict(np.zeros((2, SIZE, SIZE, 3)), verbose=0).shape == (2, 3)


@EACH
@pytest.mark.parametrize("width", [0.1, 0.35, 0.77, 1.3])
def test_every_layer_of_a_scaled_net_has_a_multiple_of_eight_channels(name, width):
    for row in models.scale_rows(models.preset(name), width):
        counts = [getattr(row, field, 8) for field in ("channels", "expanded", "half", "squeezed", "units")]
        assert not any(count % 8 for count in counts)
