"""One record: its features, and how a photograph becomes the records of its crops."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from kerastrash.data.images import ImageError, cut, decode, digest, read_bytes
from kerastrash.data.records import Crop, LeftOut

FEATURES = ("image", "label", "class_name", "key", "photograph", "image_id", "box", "area", "licence")
KeyedExample = tuple[str, dict[str, Any]]


def crop_features(classes: Sequence[str]) -> tfds.features.FeaturesDict:
    """The features of a record, `FEATURES`, each with its description."""
    text, numbers = tfds.features.Text, tfds.features.Tensor
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(
                shape=(None, None, 3), dtype=np.uint8, encoding_format="png", doc="The crop as cut, RGB, not padded."
            ),
            "label": tfds.features.ClassLabel(names=list(classes), doc="Index of the class."),
            "class_name": text(doc="Name of the class."),
            "key": text(doc="Names the crop; unique in the set, and the same in every set built of the same data."),
            "photograph": text(doc="SHA-256 (hex) of the photograph's file; a photograph is in one split only."),
            "image_id": text(doc="Id of the photograph in the annotation file; empty where it has none."),
            "box": numbers(
                shape=(4,), dtype=np.float64, encoding="bytes", doc="x, y, width, height in pixels of the photograph."
            ),
            "area": numbers(
                shape=(),
                dtype=np.float64,
                encoding="bytes",
                doc="Square pixels of the object as annotated, else of its box.",
            ),
            "licence": text(doc="Licence of the photograph; empty where the annotation file states none."),
        }
    )


def examples_of(photograph: Sequence[Crop], classes: Sequence[str]) -> Iterator[KeyedExample]:
    """Decodes one photograph and yields key and record of each crop that can be cut; the Beam form maps this too.

    Args:
        photograph: crops of one image and frame, their `photograph` filled in.
    """
    for crop, piece in _cut_all(photograph):
        if not isinstance(piece, LeftOut):
            yield crop.key, _example(crop, piece, classes)


def left_out_of(photograph: Sequence[Crop]) -> Iterator[LeftOut]:
    """What `examples_of` passes over, with the reasons."""
    return (piece for _, piece in _cut_all(photograph) if isinstance(piece, LeftOut))


def _cut_all(photograph: Sequence[Crop]) -> Iterator[tuple[Crop, Image.Image | LeftOut]]:
    try:
        image = _decode_unchanged(photograph[0])
    except ImageError as error:
        yield from ((crop, LeftOut(crop.key, error.reason)) for crop in photograph)
        return
    for crop in photograph:
        try:
            yield crop, cut(image, crop)
        except ImageError as error:
            yield crop, LeftOut(crop.key, error.reason)


def _decode_unchanged(crop: Crop) -> Image.Image:
    data = read_bytes(crop.image)
    if digest(data) != crop.photograph:
        raise ImageError(crop.image, "file changed while the set was built", "build the set again")
    return decode(crop.image, data, crop.frame)


def _example(crop: Crop, piece: Image.Image, classes: Sequence[str]) -> dict[str, Any]:
    box = crop.box or (0.0, 0.0, *map(float, piece.size))
    stream = io.BytesIO()
    piece.save(stream, format="PNG")  # encoded here: TFDS itself encodes arrays with tensorflow
    return {
        "image": stream.getvalue(),
        "label": crop.label,
        "class_name": classes[crop.label],
        "key": crop.key,
        "photograph": crop.photograph,
        "image_id": crop.image_id,
        "box": np.array(box, dtype=np.float64),
        "area": np.float64(box[2] * box[3] if crop.area is None else crop.area),
        "licence": crop.licence,
    }
