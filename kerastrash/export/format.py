"""A format of model files, the net that such a file is open as, and what it says of itself.

The `.keras` archive and the LiteRT file, to whose end a zip archive may be joined, hold the description as the member
`kerastrash.json`; ONNX as the metadata property `kerastrash`, OpenVINO as the runtime information of that name,
torch.export among its extra files, a SavedModel in its folder `assets.extra`.
"""

import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from kerastrash.backends import Inference, OpenedFile
from kerastrash.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import keras

KerasModel: TypeAlias = "keras.Model"

KEY = "kerastrash"
"""The name under which the formats hold the description; as a file, `kerastrash.json`."""

Precision = Literal["float32", "float16", "int8"]
INPUT_TYPES = ("float32", "float16", "uint8")


@dataclass(frozen=True)
class Description:
    """What a file says of its net, whose images are (batch, size, size, 3), RGB in [0, 255]; kept as JSON."""

    classes: tuple[str, ...] | None = None
    """Names of the outputs in their order; None where they are not known."""
    softmax: bool = False
    """Whether the outputs are probabilities; otherwise they are logits."""
    precision: Precision = "float32"
    """Precision of the weights."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes | None, source: Any) -> "Description":
        """Reads what `to_json` wrote; an absent one, None or empty, describes nothing.

        Raises:
            ModelError: the text, found in the file `source`, is no such description.
        """
        if not text:
            return cls()
        try:
            values = json.loads(text)
            classes = values.pop("classes", None)
            return cls(classes=tuple(map(str, classes)) if classes else None, **values)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{source}: its description cannot be read ({error}); export the model again") from error


@dataclass(frozen=True)
class OpenNet:
    """What classifies images."""

    name: str
    """The runtime's, such as `keras-torch` or `onnxruntime`."""
    input_size: int
    """Side in pixels of the square images it takes."""
    classes: int
    device: str
    run: Inference = field(repr=False)
    description: Description = field(default_factory=Description)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images (batch, size, size, 3), uint8 or float, RGB in [0, 255], to outputs (batch, classes), float32."""
        return self.run(images)

    def in_batches(self, images: np.ndarray, batch: int) -> np.ndarray:
        """The outputs for all images, so many at a time; the last batch may be smaller."""
        return np.concatenate([self(images[start : start + batch]) for start in range(0, len(images), batch)])


@dataclass(frozen=True)
class Format:
    """One format. Knowing it imports neither keras nor a runtime: what writes and opens its files imports them."""

    name: str
    suffix: str
    """Empty where it is a folder."""
    runtime: str
    """The runtime's own name, for tables."""
    write: Callable[[KerasModel, Path, Description], None]
    """Writes a float32 model that ends in logits, for batches of any size, with the description in the file.

    The description's precision is followed, its softmax put behind the logits. Whatever it raises is a net that cannot
    be written.
    """
    open: Callable[..., OpenNet]
    """Opens a file with so many processor threads, and where there is a `gpu_package` on the GPU of a name that is
    given, else on the processor. Whatever it raises is a damaged file."""
    precisions: tuple[Precision, ...] = ("float32",)
    backend: str | None = None
    """The Keras backend that `write` needs; None where any will do."""
    writing: Mapping[str, str] = field(default_factory=dict)
    """Modules that `write` needs beside the core dependencies, each with the extra of kerastrash that brings it."""
    opening: Mapping[str, str] = field(default_factory=dict)
    """Likewise of `open`."""
    gpu_package: str = ""
    """The package that brings the runtime's form for a GPU; empty where it has none of its own."""
    beside: tuple[str, ...] = ()
    """Suffixes of further files of the model, beside the one that is opened."""

    def parts(self, path: Path) -> dict[str, Path]:
        """All files of a model, by their suffixes; by their paths inside where the model is a folder."""
        if path.is_dir():
            return {str(file.relative_to(path)): file for file in sorted(path.rglob("*")) if file.is_file()}
        return {suffix: path.with_suffix(suffix) for suffix in (path.suffix, *self.beside)}

    def size(self, path: Path) -> int:
        """Bytes of a model on the disk, all files together."""
        return sum(file.stat().st_size for file in self.parts(path).values() if file.is_file())

    def missing(self, opening: bool = True) -> str | None:
        """The line that installs what writing (and opening) lacks here; None where nothing lacks."""
        needed = {**self.writing, **(self.opening if opening else {})}
        extras = [extra for module, extra in needed.items() if importlib.util.find_spec(module) is None]
        return f'pip install "kerastrash[{",".join(dict.fromkeys(extras))}]"' if extras else None

    def check_packages(self, opening: bool = True) -> None:
        """Raises ConfigError, with the line that installs them, where packages to write (and open) it are missing."""
        if line := self.missing(opening):
            raise ConfigError(f"{self.name} needs packages that are not installed: run {line}")

    def cannot_import(self, error: ImportError) -> ConfigError:
        """The sentence for a package that was not there, or broken, when a file was to be opened or written."""
        needed = error.name or self.runtime
        package, extras = needed.partition(".")[0], {**self.opening, **self.writing}
        extra = extras.get(package, next(iter(extras.values()), None))
        fault = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
        return ConfigError(f"{needed} {fault}: run pip install " + (f'"kerastrash[{extra}]"' if extra else package))

    def versions(self) -> dict[str, str]:
        """The versions of the packages that write and open it."""
        modules = dict.fromkeys(("kerastrash", "keras", "torch", *self.writing, *self.opening))
        return {module: version(module) for module in modules}


def version(module: str) -> str:
    """The version of the package that brings a module: `onnxruntime` may come with onnxruntime-gpu."""
    try:
        return importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        return importlib.metadata.version(importlib.metadata.packages_distributions()[module][0])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of logits (n, classes), in their dtype."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def conditions(runtime: str, device: str, threads: int, arithmetic: str = "") -> str:
    """What a time was measured on, such as `mixed_float16, keras-torch, NVIDIA H100, 1 thread`."""
    return ", ".join(filter(None, (arithmetic, runtime, device, f"{threads} thread{'s' if threads > 1 else ''}")))


def classifier(path: Path, name: str, opened: OpenedFile) -> OpenNet:
    """The net of a file, from what the runtime of this name says of it, for any number of images of any type.

    Raises:
        ModelError: it is no classifier of square RGB images, or takes them in another type than INPUT_TYPES.
    """
    inputs, outputs = ([tuple(map(_side, shape)) for shape in shapes] for shapes in (opened.inputs, opened.outputs))
    match inputs, outputs:
        case [(batch, int(size), width, 3)], [(_, int(classes))] if size == width:
            pass
        case _:
            raise ModelError(
                f"{path}: takes {_shown(inputs)} and gives {_shown(outputs)}; "
                "give a net from (batch, size, size, 3) to (batch, classes), size and classes fixed"
            )
    if opened.dtype not in INPUT_TYPES:
        raise ModelError(f"{path}: takes images of {opened.dtype}; export it for one of {', '.join(INPUT_TYPES)}")

    def typed(images: np.ndarray) -> np.ndarray:
        if opened.dtype == "uint8" and images.dtype != np.uint8:
            images = np.rint(images).clip(0, 255)
        return np.asarray(opened.run(np.ascontiguousarray(images, opened.dtype)), "float32")

    run = _in_pieces(typed, batch) if batch else typed
    return OpenNet(name, size, classes, opened.device, run, Description.from_json(opened.text, path))


def _in_pieces(run: Inference, batch: int) -> Inference:
    """Feeds any number of images to a net that takes `batch` at a time; a last piece is filled up with black ones."""

    def pieces(images: np.ndarray) -> np.ndarray:
        count, missing = len(images), -len(images) % batch
        if missing:
            images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
        return np.concatenate([run(images[start : start + batch]) for start in range(0, len(images), batch)])[:count]

    return pieces


def _side(side: object) -> int | None:
    return int(side) if isinstance(side, int | np.integer) and side > 0 else None


def _shown(shapes: Sequence[tuple[int | None, ...]]) -> str:
    """Such as `(any, 224, 224, 3)`."""
    return " and ".join(f"({', '.join(str(side or 'any') for side in shape)})" for shape in shapes) or "nothing"
