"""Reads a folder of photographs: DIR/CLASS/* or DIR/{train,val,test}/CLASS/*."""

from pathlib import Path

from kerastrash.data.records import SPLITS, Crop, LeftOut, Source, fingerprint
from kerastrash.errors import DataError

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
        _read_classes(folder, top, split, classes, crops, left_out)
    if splits:
        _leave_out_stray_images(folder, folder, left_out)
    _check_every_class_has_images(folder, classes, crops)
    return Source(folder.resolve().name, classes, tuple(crops), tuple(left_out), fingerprint(classes, crops))


def _read_classes(
    folder: Path, top: Path, split: str | None, classes: tuple[str, ...], crops: list[Crop], left_out: list[LeftOut]
) -> None:
    _leave_out_stray_images(folder, top, left_out)
    for class_folder in _folders(top):
        label = classes.index(class_folder.name)
        for path in _visible(class_folder):
            key = path.relative_to(folder).as_posix()
            if path.is_dir():
                left_out.append(LeftOut(key, "folder inside a class folder"))
            elif path.suffix.lower() not in IMAGE_SUFFIXES:
                left_out.append(LeftOut(key, "file name has no image suffix"))
            else:
                crops.append(Crop(path, None, label, key, split))


def _leave_out_stray_images(folder: Path, top: Path, left_out: list[LeftOut]) -> None:
    for path in _visible(top):
        if not path.is_dir() and path.suffix.lower() in IMAGE_SUFFIXES:
            left_out.append(LeftOut(path.relative_to(folder).as_posix(), "image outside a class folder"))


def _check_every_class_has_images(folder: Path, classes: tuple[str, ...], crops: list[Crop]) -> None:
    seen = {crop.label for crop in crops}
    empty = [name for label, name in enumerate(classes) if label not in seen]
    if empty:
        raise DataError(f"{folder}: class folder {', '.join(empty)} holds no image; add images or remove the folder")


def _folders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as cause:
        raise DataError(f"{folder}: cannot be read ({cause.strerror}); give a readable folder") from cause
