"""The TFDS builder of crop sets: a plain generator, or the same generator as a Beam pipeline."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow_datasets as tfds
from etils import epath

from kerastrash.console import track
from kerastrash.data.categories import TACO_MAP, read_category_map
from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import open_source
from kerastrash.data.decoding import by_photograph
from kerastrash.data.records import SPLITS, Crop, Source
from kerastrash.data.tfds.examples import KeyedExample, crop_features, examples_of
from kerastrash.data.tfds.settle import settle
from kerastrash.data.tfds.table import crop_table
from kerastrash.errors import DataError

if TYPE_CHECKING:
    import apache_beam

FILE_FORMAT = "array_record"
"""The one that is written and read without tensorflow, record by record in any order."""
DESCRIPTION = """Objects cut along the boxes of an annotation file, or whole photographs, to be classified.
Train, val and test are stratified by class, and a photograph stands in one of them only."""
TACO = """@article{taco2020,
  title={TACO: Trash Annotations in Context for Litter Detection},
  author={Pedro F. Proen\\c{c}a and Pedro Sim\\~oes},
  journal={arXiv preprint arXiv:2003.06975},
  year={2020}
}"""


@dataclasses.dataclass(eq=False)
class CropsConfig(tfds.core.BuilderConfig):
    """One set: its name, and what it is built from."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    """The source and its split; a COCO file with TACO's categories gives the six classes."""

    beam: bool = False
    """Build with Apache Beam, on the runner of the `beam_options` in TFDS's DownloadConfig."""


class KerastrashCrops(tfds.core.GeneratorBasedBuilder):
    """Crops of any source; `config=CropsConfig(...)` to build a set, the set's name to open one."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}  # noqa: RUF012 - the form TFDS asks for

    code_path = epath.Path(__file__)  # TFDS would look for it with importlib_resources, which it does not require

    builder_config: CropsConfig

    def __init__(self, *, file_format: str = FILE_FORMAT, **options: Any) -> None:
        super().__init__(file_format=file_format, **options)

    @functools.cached_property
    def offered(self) -> Source:
        """The source as read."""
        return open_source(self.builder_config.data)

    @functools.cached_property
    def settled(self) -> Source:
        """The source with every crop's photograph and side; reads every photograph once."""
        return settle(self.offered, self.builder_config.data)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=DESCRIPTION,
            features=crop_features(self.offered.classes),
            supervised_keys=("image", "label"),
            citation=_citation(self.offered),
            license="\n".join(sorted({crop.licence for crop in self.offered.crops} - {""})),
            metadata=CropTable(self),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {side: self._generate_examples(side) for side in SPLITS}

    def _generate_examples(self, side: str) -> "Iterator[KeyedExample] | apache_beam.PTransform":
        crops = [crop for crop in self.settled.crops if crop.split == side]
        photographs, classes = by_photograph(crops), self.settled.classes
        return _pipeline(photographs, classes) if self.builder_config.beam else _loop(side, photographs, classes)


class CropTable(tfds.core.MetadataDict):
    """The set's `metadata.json`: see `kerastrash.data.tfds.table`. TFDS saves it when all records are written."""

    def __init__(self, builder: KerastrashCrops) -> None:
        super().__init__()
        self._builder = builder

    def save_metadata(self, data_dir: Path) -> None:
        """Reads the written records back and saves what is to be known of them."""
        self.update(crop_table(self._builder, self._builder.settled, self._builder.builder_config.data))
        super().save_metadata(data_dir)


def _loop(side: str, photographs: list[tuple[Crop, ...]], classes: tuple[str, ...]) -> Iterator[KeyedExample]:
    cut = 0
    for photograph in track(photographs, f"Cutting {side}", unit="photographs"):
        for example in examples_of(photograph, classes):
            yield example
            cut += 1
    if not cut:
        raise DataError(f"not one of {len(photographs)} photographs of {side} can be decoded; replace them")


def _pipeline(photographs: list[tuple[Crop, ...]], classes: tuple[str, ...]) -> "apache_beam.PTransform":
    import apache_beam  # an environment of its own has it: its dependencies are older than the project's

    cut = apache_beam.FlatMap(examples_of, classes)
    return apache_beam.Create(photographs) | apache_beam.Reshuffle() | cut


def _citation(source: Source) -> str:
    return TACO if source.classes == read_category_map(TACO_MAP).classes else ""
