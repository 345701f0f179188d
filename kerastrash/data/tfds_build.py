"""Crops built into a TFDS set of array_record files, once and whole; tensorflow is not needed.

Importing this file registers the builder: `tfds.builder("kerastrash_crops", config=CropsConfig(...), data_dir=...)`.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import absl.logging
import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from PIL import Image

from kerastrash.data.cache import alone_at
from kerastrash.data.coco import TACO_MAP, read_category_map
from kerastrash.data.config import SMALLEST_INPUT, DataConfig, check_config
from kerastrash.data.dataset import settle_source
from kerastrash.data.images import Track, by_photograph, cut_photograph, per_photograph, untracked
from kerastrash.data.records import SPLITS, Crop, LeftOut, Source
from kerastrash.data.sources import TFDS, open_source
from kerastrash.data.tfds_read import COLUMNS, DATASET, FORMAT, crop_features, open_table
from kerastrash.errors import ConfigError, DataError, require

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
INCOMPLETE = "incomplete."
"""Begins the name of the folder that TFDS writes in, and renames when all is written."""
WRITE_FAILED = re.compile(r"(?:open|write|fsync|close)\(\) failed: ([^;]*)")
"""What array_record's C++ says of a full disk, in a RuntimeError."""
DESCRIPTION = """Objects cut along the boxes of an annotation file, or whole photographs, to be classified.
Train, val and test are stratified by class, and a photograph stands in one of them only."""
TACO = """@article{taco2020,
  title={TACO: Trash Annotations in Context for Litter Detection},
  author={Pedro F. Proen\\c{c}a and Pedro Sim\\~oes},
  journal={arXiv preprint arXiv:2003.06975},
  year={2020}
}"""


def build_set(config: DataConfig, name: str | None = None, track: Track = untracked) -> tuple[str, bool]:
    """Builds the set in `config.tfds_folder`; returns its name, by default the data's, and whether it is new.

    One that was built before from the same data stays as it is.

    Raises:
        ConfigError: there is a set of the same name that was built from other data or with another split.
        DataError: the source or its split cannot be used.
        FileError: the set cannot be written; nothing of it is left behind.
    """
    require(not config.data.startswith(TFDS), "data", config.data, "is built already; give what it is to be built from")
    check_config(config, SMALLEST_INPUT)
    source = open_source(config)
    name = name or re.sub(r"[^A-Za-z0-9_-]+", "_", source.name)
    require(bool(NAME.fullmatch(name)), "name", name, "must be letters, digits, '_', '-' and '.', no '.' or '-' first")
    target = config.tfds_folder / DATASET / name / str(KerastrashCrops.VERSION)
    with alone_at(target.parent, target, "give another one with --tfds-folder"):
        if new := not target.exists():
            _build(target, CropsConfig(name=name, data=config), track)
        elif open_table(target)[0]["source"] != _built_from(source, config):
            message = "was built from other data or split otherwise; remove it or give another --name"
            raise ConfigError(f"{target}: {message}")
    return name, new


def _build(target: Path, config: "CropsConfig", track: Track) -> None:
    """Builds the set in a folder beside `target`, which TFDS renames when all is written, and keeps TFDS quiet.

    TFDS asks for a folder of downloads too, and makes one of its own beside the sets where it is given none.
    """
    for killed in target.parent.glob(f"{INCOMPLETE}*"):
        shutil.rmtree(killed)
    target.parent.mkdir(exist_ok=True)
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            tempfile.TemporaryDirectory(prefix=INCOMPLETE, dir=target.parent) as downloads,
        ):
            builder = KerastrashCrops(config=config, data_dir=target.parents[2], track=track)
            builder.download_and_prepare(download_dir=downloads)
    except RuntimeError as cause:
        if failed := WRITE_FAILED.search(str(cause)):
            raise OSError(failed[1]) from cause
        raise
    finally:
        absl.logging.set_verbosity(verbosity)
        tfds.enable_progress_bar()


@dataclasses.dataclass(eq=False)
class CropsConfig(tfds.core.BuilderConfig):
    """One set: its name, and what it is built from."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    """The source and its split; a COCO file with TACO's categories gives the six classes."""


class KerastrashCrops(tfds.core.GeneratorBasedBuilder):
    """Crops of any source; `config=CropsConfig(...)` to build a set, the set's name to open one."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012 - the form TFDS asks for

    code_path = epath.Path(__file__)  # TFDS would look for it with importlib_resources, which it does not require

    builder_config: CropsConfig

    def __init__(self, *, file_format: str = "array_record", track: Track = untracked, **options: Any) -> None:
        self._track = track
        self.left_out: list[LeftOut] = []
        """What could not be cut while the records were written."""
        super().__init__(file_format=file_format, **options)

    @functools.cached_property
    def offered(self) -> Source:
        """The source as read."""
        return open_source(self.builder_config.data)

    @functools.cached_property
    def settled(self) -> Source:
        """The source with every crop's photograph and split; reads every photograph once."""
        return settle_source(self.offered, self.builder_config.data, self._track)

    def _info(self) -> tfds.core.DatasetInfo:
        taco = self.offered.classes == read_category_map(TACO_MAP).classes
        return tfds.core.DatasetInfo(
            builder=self,
            description=DESCRIPTION,
            features=crop_features(self.offered.classes),
            supervised_keys=("image", "label"),
            citation=TACO if taco else "",
            license="\n".join(sorted({crop.licence for crop in self.offered.crops} - {""})),
            metadata=CropTable(self),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        crops = [crop for crop in self.settled.crops if crop.split == split]
        written = 0
        for record in itertools.chain.from_iterable(per_photograph(_cut_all, crops, f"Cutting {split}", self._track)):
            if isinstance(record, LeftOut):
                self.left_out.append(record)
            else:
                written += 1
                yield record["key"], record | {"class_name": self.settled.classes[record["label"]]}
        if not written:
            raise DataError(
                f"not one of {len(by_photograph(crops))} photographs of {split} can be decoded; replace them"
            )


class CropTable(tfds.core.MetadataDict):
    """The set's `metadata.json`, saved when all records are written: see `kerastrash.data.tfds_read`."""

    def __init__(self, builder: KerastrashCrops) -> None:
        super().__init__()
        self._builder = builder

    def save_metadata(self, data_dir: Path) -> None:
        """Reads the written records back, whose order is TFDS's, and saves what is to be known of them."""
        settled, config = self._builder.settled, self._builder.builder_config.data
        crops, digests = {}, []
        for split in SPLITS:
            rows = []
            for record in self._builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()}):
                row = [_plain(record[column]) for column in COLUMNS]
                stated = json.dumps([split, *row, record["box"].tolist()])
                digests.append(hashlib.sha256(stated.encode() + record["image"]).hexdigest())
                rows.append(row)
            crops[split] = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
        content = hashlib.sha256("\n".join([*settled.classes, *sorted(digests)]).encode())
        left_out = [[item.what, item.reason] for item in (*settled.left_out, *self._builder.left_out)]
        self.update(format=FORMAT, source=_built_from(settled, config), fingerprint=content.hexdigest())
        self.update(left_out=left_out, crops=crops)
        super().save_metadata(data_dir)


def _plain(value: Any) -> Any:
    """A value as JSON has it: TFDS gives text as bytes, a label as int, other numbers as NumPy's."""
    return value.decode() if isinstance(value, bytes) else np.asarray(value).item()


def _built_from(source: Source, config: DataConfig) -> dict[str, Any]:
    """The source and the split settings, to tell whether a set is the one that would be built."""
    shares = {name: getattr(config, name) for name in ("split_seed", "validation", "test")}
    return {"name": source.name, "fingerprint": source.fingerprint} | shares


def _cut_all(photograph: Sequence[Crop]) -> list[dict[str, Any] | LeftOut]:
    """The record of each crop of one photograph, but for its class name, or why it cannot be cut."""
    identity, cuts = cut_photograph(photograph)
    if identity not in ("", photograph[0].photograph):
        cuts = ["file changed while the set was built"] * len(photograph)
    return [
        LeftOut(crop.key, piece) if isinstance(piece, str) else _record(piece, crop)
        for crop, piece in zip(photograph, cuts, strict=True)
    ]


def _record(piece: Image.Image, crop: Crop) -> dict[str, Any]:
    stream = io.BytesIO()
    piece.save(stream, format="PNG")  # encoded here: TFDS itself encodes arrays with tensorflow
    box = crop.box or (0.0, 0.0, *map(float, piece.size))
    return {column: getattr(crop, column) for column in COLUMNS} | {
        "image": stream.getvalue(),
        "box": np.array(box, dtype=np.float64),
        "area": np.float64(box[2] * box[3] if crop.area is None else crop.area),
    }
