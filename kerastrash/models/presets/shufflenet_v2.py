"""ShuffleNetV2 as rows, one a line, each with the side of the map that leaves it; counts are for six classes.

Resolutions are for images of 224 pixels. Each net has 205 layers.

Source: Ma et al. 2018 (arXiv:1807.11164, table 5) in torchvision's reading.
"""

from kerastrash.models.row import Rows
from kerastrash.models.rows import Conv, MaxPool, Pool, ShuffleUnit

# 347,942 parameters (1,366,792 at 1000 classes).
SHUFFLENET_V2_X0_5: Rows = (
    Conv(24, kernel=3, stride=2),  # 112
    MaxPool(),  # 56
    ShuffleUnit(48, stride=2),  # 28
    ShuffleUnit(48),  # 28
    ShuffleUnit(48),  # 28
    ShuffleUnit(48),  # 28
    ShuffleUnit(96, stride=2),  # 14
    ShuffleUnit(96),  # 14
    ShuffleUnit(96),  # 14
    ShuffleUnit(96),  # 14
    ShuffleUnit(96),  # 14
    ShuffleUnit(96),  # 14
    ShuffleUnit(96),  # 14
    ShuffleUnit(96),  # 14
    ShuffleUnit(192, stride=2),  # 7
    ShuffleUnit(192),  # 7
    ShuffleUnit(192),  # 7
    ShuffleUnit(192),  # 7
    Conv(1024),  # 7
    Pool(),  # 1
)

# 1,259,754 parameters (2,278,604 at 1000 classes).
SHUFFLENET_V2_X1_0: Rows = (
    Conv(24, kernel=3, stride=2),  # 112
    MaxPool(),  # 56
    ShuffleUnit(116, stride=2),  # 28
    ShuffleUnit(116),  # 28
    ShuffleUnit(116),  # 28
    ShuffleUnit(116),  # 28
    ShuffleUnit(232, stride=2),  # 14
    ShuffleUnit(232),  # 14
    ShuffleUnit(232),  # 14
    ShuffleUnit(232),  # 14
    ShuffleUnit(232),  # 14
    ShuffleUnit(232),  # 14
    ShuffleUnit(232),  # 14
    ShuffleUnit(232),  # 14
    ShuffleUnit(464, stride=2),  # 7
    ShuffleUnit(464),  # 7
    ShuffleUnit(464),  # 7
    ShuffleUnit(464),  # 7
    Conv(1024),  # 7
    Pool(),  # 1
)

# 2,484,774 parameters (3,503,624 at 1000 classes).
SHUFFLENET_V2_X1_5: Rows = (
    Conv(24, kernel=3, stride=2),  # 112
    MaxPool(),  # 56
    ShuffleUnit(176, stride=2),  # 28
    ShuffleUnit(176),  # 28
    ShuffleUnit(176),  # 28
    ShuffleUnit(176),  # 28
    ShuffleUnit(352, stride=2),  # 14
    ShuffleUnit(352),  # 14
    ShuffleUnit(352),  # 14
    ShuffleUnit(352),  # 14
    ShuffleUnit(352),  # 14
    ShuffleUnit(352),  # 14
    ShuffleUnit(352),  # 14
    ShuffleUnit(352),  # 14
    ShuffleUnit(704, stride=2),  # 7
    ShuffleUnit(704),  # 7
    ShuffleUnit(704),  # 7
    ShuffleUnit(704),  # 7
    Conv(1024),  # 7
    Pool(),  # 1
)

# 5,357,290 parameters (7,393,996 at 1000 classes).
SHUFFLENET_V2_X2_0: Rows = (
    Conv(24, kernel=3, stride=2),  # 112
    MaxPool(),  # 56
    ShuffleUnit(244, stride=2),  # 28
    ShuffleUnit(244),  # 28
    ShuffleUnit(244),  # 28
    ShuffleUnit(244),  # 28
    ShuffleUnit(488, stride=2),  # 14
    ShuffleUnit(488),  # 14
    ShuffleUnit(488),  # 14
    ShuffleUnit(488),  # 14
    ShuffleUnit(488),  # 14
    ShuffleUnit(488),  # 14
    ShuffleUnit(488),  # 14
    ShuffleUnit(488),  # 14
    ShuffleUnit(976, stride=2),  # 7
    ShuffleUnit(976),  # 7
    ShuffleUnit(976),  # 7
    ShuffleUnit(976),  # 7
    Conv(2048),  # 7
    Pool(),  # 1
)
