"""The published nets as rows, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from kerastrash.models.presets import efficientnet_lite, mobilenet_v3, resnet, shufflenet_v2
from kerastrash.models.row import Rows

PRESETS: Mapping[str, Rows] = MappingProxyType(
    {
        "mobilenetv3_79": mobilenet_v3.MOBILENETV3_79,
        "mobilenetv3_163": mobilenet_v3.MOBILENETV3_163,
        "mobilenetv3_179": mobilenet_v3.MOBILENETV3_179,
        "mobilenetv3_full": mobilenet_v3.MOBILENETV3_FULL,
        "mobilenet_v3_small": mobilenet_v3.MOBILENET_V3_SMALL,
        "mobilenet_v3_large": mobilenet_v3.MOBILENET_V3_LARGE,
        "shufflenet_v2_x0_5": shufflenet_v2.SHUFFLENET_V2_X0_5,
        "shufflenet_v2_x1_0": shufflenet_v2.SHUFFLENET_V2_X1_0,
        "shufflenet_v2_x1_5": shufflenet_v2.SHUFFLENET_V2_X1_5,
        "shufflenet_v2_x2_0": shufflenet_v2.SHUFFLENET_V2_X2_0,
        "resnet18": resnet.RESNET18,
        "resnet50": resnet.RESNET50,
        "resnet18d": resnet.RESNET18D,
        "efficientnet_lite0": efficientnet_lite.EFFICIENTNET_LITE0,
        "efficientnet_lite2": efficientnet_lite.EFFICIENTNET_LITE2,
    }
)
