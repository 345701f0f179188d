"""Classifies images by a model file of any format, loading nothing that its runtime does not need."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kerastrash.console import say
from kerastrash.data.images import ImageError, decode, read_bytes, square, to_rgb
from kerastrash.errors import ModelError
from kerastrash.export.format import softmax
from kerastrash.export.formats import open_runtime, sidecar_classes

ImageLike = str | Path | bytes | Image.Image | np.ndarray
"""A file's path, its bytes, a Pillow image, or an array: uint8, (height, width) grey or (height, width, 3 or 4)."""

BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """What a net says of one image."""

    image: str | None
    """The path that was given; None for an image in memory."""
    label: str
    """The most probable class."""
    probability: float
    """The probability of that class, in [0, 1]."""
    probabilities: dict[str, float]
    """The probability of every class, the most probable first; their sum is 1."""


class Classifier:
    """A model file that is open, with the names of its classes."""

    def __init__(self, path: Path | str, classes: Sequence[str] | None = None, threads: int = 1) -> None:
        """Opens a model file of any format.

        Args:
            path: see `kerastrash.export.formats.open_runtime`.
            classes: names of the outputs; left out, those in the file, else those in `PATH.json` beside it, else
                "0", "1", ..., which is said on standard error.
            threads: of the processor.

        Raises:
            ConfigError: a package that the file's runtime needs is not installed; the message says how to get it.
            ModelError: the file cannot be opened, or the names do not fit its outputs.
        """
        self.path = Path(path)
        self.net = open_runtime(self.path, threads)
        self.classes = _class_names(self.path, classes or self.net.description.classes, self.net.classes)

    def predict(self, images: ImageLike | Iterable[ImageLike]) -> list[Prediction]:
        """Classifies one image or several, of any sizes: turned as EXIF says, padded to a square, resized.

        Args:
            images: an image or an iterable of them; a uint8 array (n, height, width, 3) is n images.

        Raises:
            ImageError: an image cannot be read; the message names it.
            ModelError: the net's outputs are not finite.
        """
        one = isinstance(images, ImageLike) and not (isinstance(images, np.ndarray) and images.ndim == 4)
        return list(self.stream([images] if one else images))

    def stream(
        self,
        images: Iterable[ImageLike],
        unreadable: Callable[[ImageError], object] | None = None,
        batch: int = BATCH,
    ) -> Iterator[Prediction]:
        """`predict` for any number of images, `batch` in memory at a time; with 1 each is answered when it is read.

        Args:
            unreadable: is told of each image that cannot be read, which is passed over; without it, such an image
                raises.
        """
        names: list[str | None] = []
        squares: list[np.ndarray] = []
        for number, image in enumerate(images):
            try:
                squares.append(square(_decoded(image, number), self.net.input_size))
            except ImageError as error:
                if unreadable is None:
                    raise
                unreadable(error)
                continue
            names.append(str(image) if isinstance(image, str | Path) else None)
            if len(squares) == batch:
                yield from self._answers(names, squares)
                names, squares = [], []
        if squares:
            yield from self._answers(names, squares)

    def _answers(self, names: list[str | None], squares: list[np.ndarray]) -> Iterator[Prediction]:
        outputs = self.net(np.stack(squares)).astype("float64")
        if not np.isfinite(outputs).all():
            raise ModelError(f"{self.path}: its outputs are not finite; export it again, or train it anew")
        probabilities = outputs if self.net.description.softmax else softmax(outputs)
        for name, row in zip(names, probabilities, strict=True):
            ranked = {self.classes[index]: float(row[index]) for index in np.argsort(-row, kind="stable")}
            label, probability = next(iter(ranked.items()))
            yield Prediction(name, label, probability, ranked)


def _decoded(image: ImageLike, number: int) -> Image.Image:
    """The image in RGB, upright; `number` names one that is in memory."""
    name = f"image {number}"
    if isinstance(image, str | Path):
        path = Path(image)
        if not path.exists():
            raise ImageError(path, "no such file", "check the path")
        return decode(path, read_bytes(path))
    if isinstance(image, bytes):
        return decode(name, image)
    try:
        image = image if isinstance(image, Image.Image) else _from_array(image)
        return to_rgb(ImageOps.exif_transpose(image))
    except Exception as cause:  # a Pillow image decodes here, and decoders raise whatever they trip over
        remedy = "give a path, bytes, a Pillow image, or a uint8 array (height, width[, 3 or 4])"
        raise ImageError(name, f"cannot be read ({cause})", remedy) from cause


def _from_array(image: np.ndarray) -> Image.Image:
    if not isinstance(image, np.ndarray):
        raise TypeError(f"is a {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,), (4,)):
        raise TypeError(f"is an array {image.shape} of {image.dtype}")
    if not image.size:
        raise ValueError(f"is an array {image.shape} without a pixel")
    return Image.fromarray(np.ascontiguousarray(image[:, :, 0] if image.shape[2:] == (1,) else image))


def _class_names(path: Path, classes: Sequence[str] | None, outputs: int) -> tuple[str, ...]:
    """The names that are given, or that the sidecar has, or numbers; as many different ones as outputs."""
    names = classes or sidecar_classes(path)
    if not names:
        say(f"{path}: has no names of its classes, which are numbered 0 to {outputs - 1} here; give classes")
        return tuple(map(str, range(outputs)))
    names = tuple(map(str, names))
    if len(set(names)) != outputs or len(names) != outputs:
        raise ModelError(f"{path}: gives {outputs} outputs, its classes are {', '.join(names)}; give one name for each")
    return names
