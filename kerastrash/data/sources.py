"""Every kind of data that `--data` can name, and the reader of folders, DIR/CLASS/* or DIR/{train,val,test}/CLASS/*.

A new one is a reader in a file of its own and an entry here.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kerastrash.data.coco import read_coco
from kerastrash.data.config import DataConfig
from kerastrash.data.records import SPLITS, Crop, LeftOut, Source, count_reasons, fingerprint
from kerastrash.errors import ConfigError, DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


def read_folder(folder: Path) -> Source:
    """Every image file of a class folder is a crop; the classes are the folder names in alphabetical order.

    Where the top folders are `train` and, if there, `val` and `test`, the splits are fixed by them. Hidden files, and
    files beside the class folders that are no images (a licence, a list), are ignored; anything else that is
    not used is left out with a reason.

    Raises:
        DataError: no class folders, fewer than two classes, a class without an image, or split and class folders mixed.
    """
    found = [path.name for path in _folders(folder)]
    if not found:
        raise DataError(f"{folder}: holds no class folders; put the images under {folder}/CLASS/")
    splits = [name for name in SPLITS if name in found]
    if splits and (set(found) != set(splits) or "train" not in splits):
        raise DataError(f"{folder}: holds {', '.join(found)}; give class folders, or train, val and test folders")
    tops = {folder / name: name for name in splits} or {folder: None}
    classes = tuple(sorted({path.name for top in tops for path in _folders(top)}))
    if len(classes) < 2:
        raise DataError(f"{folder}: holds {len(classes)} class folder(s); a classifier needs two or more")
    crops: list[Crop] = []
    left_out: list[LeftOut] = []
    for top, split in tops.items():
        left_out += _stray_images(folder, top)
        for path in itertools.chain.from_iterable(map(visible, _folders(top))):
            key = path.relative_to(folder).as_posix()
            if path.is_dir():
                left_out.append(LeftOut(key, "folder inside a class folder"))
            elif path.suffix.lower() not in IMAGE_SUFFIXES:
                left_out.append(LeftOut(key, "file name has no image suffix"))
            else:
                crops.append(Crop(path, None, classes.index(path.parent.name), key, split))
    if splits:
        left_out += _stray_images(folder, folder)
    if empty := set(range(len(classes))) - {crop.label for crop in crops}:
        names = ", ".join(classes[label] for label in sorted(empty))
        raise DataError(f"{folder}: class folder {names} holds no image; add images or remove the folder")
    return Source(folder.resolve().name, classes, tuple(crops), tuple(left_out), fingerprint(classes, crops))


def _stray_images(folder: Path, top: Path) -> list[LeftOut]:
    files = [path for path in visible(top) if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir()]
    return [LeftOut(path.relative_to(folder).as_posix(), "image outside a class folder") for path in files]


def _folders(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if path.is_dir()]


def visible(folder: Path) -> list[Path]:
    """What lies in the folder, in order, hidden entries left out; raises DataError where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as cause:
        raise DataError(f"{folder}: cannot be read ({cause.strerror}); give a readable folder") from cause


SAMPLE = "sample"
"""The word that names the sample: 600 photographs of TrashNet that travel with the package."""
SAMPLE_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "sample"
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


def _read_tfds(config: DataConfig) -> Source:
    from kerastrash.data.tfds_read import read_tfds  # loads tensorflow_datasets, a second of imports

    return read_tfds(config.data.removeprefix(TFDS), config.tfds_folder)


def _read_coco(config: DataConfig) -> Source:
    source = read_coco(annotation_file(config.data), config.images, config.categories)
    return replace(source, name=SAMPLE) if config.data == SAMPLE else source


COCO = Scheme(f"the word {SAMPLE!r}, a COCO .json file", lambda data: annotation_file(data) is not None, _read_coco)
SCHEMES = (
    COCO,
    Scheme(f"{TFDS}NAME", lambda data: data.startswith(TFDS), _read_tfds),
    Scheme("a folder", lambda data: Path(data).is_dir(), lambda config: read_folder(Path(config.data))),
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
    scheme = next((scheme for scheme in SCHEMES if scheme.names(config.data)), None)
    if scheme is None:
        *most, last = (scheme.title for scheme in SCHEMES)
        problem = "no kind of data that can be read" if Path(config.data).exists() else "no such file or folder"
        raise DataError(f"{config.data}: {problem}; give {', '.join(most)} or {last}")
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
