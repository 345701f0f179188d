"""ResNet as rows, one a line, each with the side of the map that leaves it; counts are for six classes.

Resolutions are for images of 224 pixels.

Source: He et al. 2016 (arXiv:1512.03385, table 1) in torchvision's reading: a bottleneck's stride stands in its 3x3
convolution. The D variant is of He et al. 2019 (arXiv:1812.01187, figures 1 and 2) in timm's reading: three 3x3
convolutions for a stem, a shortcut that averages before it projects.
"""

from kerastrash.models.row import Rows
from kerastrash.models.rows import BasicBlock, Bottleneck, Conv, MaxPool, Pool

# 11,179,590 parameters (11,689,512 at 1000 classes), 68 layers.
RESNET18: Rows = (
    Conv(64, kernel=7, stride=2),  # 112
    MaxPool(),  # 56
    BasicBlock(64),  # 56
    BasicBlock(64),  # 56
    BasicBlock(128, stride=2),  # 28
    BasicBlock(128),  # 28
    BasicBlock(256, stride=2),  # 14
    BasicBlock(256),  # 14
    BasicBlock(512, stride=2),  # 7
    BasicBlock(512),  # 7
    Pool(),  # 1
)

# 23,520,326 parameters (25,557,032 at 1000 classes), 151 layers.
RESNET50: Rows = (
    Conv(64, kernel=7, stride=2),  # 112
    MaxPool(),  # 56
    Bottleneck(64, 256),  # 56
    Bottleneck(64, 256),  # 56
    Bottleneck(64, 256),  # 56
    Bottleneck(128, 512, stride=2),  # 28
    Bottleneck(128, 512),  # 28
    Bottleneck(128, 512),  # 28
    Bottleneck(128, 512),  # 28
    Bottleneck(256, 1024, stride=2),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(256, 1024),  # 14
    Bottleneck(512, 2048, stride=2),  # 7
    Bottleneck(512, 2048),  # 7
    Bottleneck(512, 2048),  # 7
    Pool(),  # 1
)

# 11,198,822 parameters (11,708,744 at 1000 classes), 104 layers.
RESNET18D: Rows = (
    Conv(32, kernel=3, stride=2),  # 112
    Conv(32, kernel=3),  # 112
    Conv(64, kernel=3),  # 112
    MaxPool(),  # 56
    BasicBlock(64, pooled_shortcut=True),  # 56
    BasicBlock(64, pooled_shortcut=True),  # 56
    BasicBlock(128, stride=2, pooled_shortcut=True),  # 28
    BasicBlock(128, pooled_shortcut=True),  # 28
    BasicBlock(256, stride=2, pooled_shortcut=True),  # 14
    BasicBlock(256, pooled_shortcut=True),  # 14
    BasicBlock(512, stride=2, pooled_shortcut=True),  # 7
    BasicBlock(512, pooled_shortcut=True),  # 7
    Pool(),  # 1
)
