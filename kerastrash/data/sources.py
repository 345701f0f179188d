"""Every kind of data that `--data` can name. A new one is a reader in a file of its own and an entry here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kerastrash.data.coco import read_coco
from kerastrash.data.config import DataConfig
from kerastrash.data.folder import read_folder
from kerastrash.data.records import Source, count_reasons
from kerastrash.errors import ConfigError, DataError

SAMPLE = "sample"
"""The word that names the sample: 600 photographs of TrashNet that travel with the package."""
SAMPLE_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "sample"
"""Its folder: annotations.json and images/, with the licence and the account of how it was made."""
TFDS = "tfds:"
ANNOTATIONS = "annotations.json"
"""A folder that holds this file is a COCO data set."""


@dataclass(frozen=True)
class Scheme:
    """A kind of data: how messages call it, whether a value of `--data` names it, and what reads it."""

    title: str
    names: Callable[[str], bool]
    read: Callable[[DataConfig], Source]
    """Opens no image."""


def _read_sample(config: DataConfig) -> Source:
    return replace(read_coco(SAMPLE_FOLDER / ANNOTATIONS), name=SAMPLE)


def _read_tfds(config: DataConfig) -> Source:
    from kerastrash.data.tfds_read import read_tfds  # loads tensorflow_datasets, a second of imports

    return read_tfds(config.data.removeprefix(TFDS), config.tfds_folder)


def _read_coco(config: DataConfig) -> Source:
    return read_coco(annotation_file(config.data), config.images, config.categories)


def _read_folder(config: DataConfig) -> Source:
    return read_folder(Path(config.data))


COCO = Scheme("a COCO .json file", lambda data: annotation_file(data) is not None, _read_coco)
SCHEMES = (
    Scheme(f"the word {SAMPLE!r}", lambda data: data == SAMPLE, _read_sample),
    Scheme(f"{TFDS}NAME", lambda data: data.startswith(TFDS), _read_tfds),
    COCO,
    Scheme("a folder", lambda data: Path(data).is_dir(), _read_folder),
)
"""The first that names the data reads it."""


def annotation_file(data: str) -> Path | None:
    """The COCO file that a value of `--data` names, itself or by its folder, or of the sample; else None."""
    path = SAMPLE_FOLDER if data == SAMPLE else Path(data)
    path = path / ANNOTATIONS if path.is_dir() else path
    return path if path.suffix.lower() == ".json" and path.is_file() else None


def open_source(config: DataConfig) -> Source:
    """Reads what the settings name, opening no image: see `DataConfig.data`.

    Raises:
        DataError: it is missing, malformed, or offers not one crop or fewer than two classes.
        ConfigError: `images` or `categories` is given with something else than a COCO file.
    """
    scheme = _scheme_of(config.data)
    if scheme is not COCO and (config.images or config.categories):
        raise ConfigError(f"{config.data}: images and categories belong to a COCO file; take them out")
    source = scheme.read(config)
    if not source.crops:
        raise DataError(
            f"{config.data}: not one annotation can be used: {count_reasons(source.left_out)}; "
            "correct the file, or give its folder with --images and its classes with --categories"
        )
    if len(source.classes) < 2:
        raise DataError(f"{config.data}: has one class, {source.classes[0]!r}; a classifier needs two or more")
    return source


def _scheme_of(data: str) -> Scheme:
    for scheme in SCHEMES:
        if scheme.names(data):
            return scheme
    *most, last = (scheme.title for scheme in SCHEMES)
    problem = "no kind of data that can be read" if Path(data).exists() else "no such file or folder"
    raise DataError(f"{data}: {problem}; give {', '.join(most)} or {last}")
