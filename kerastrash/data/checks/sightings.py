"""The photographs and crops of a source as things to compare: look, labels, and splits."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kerastrash.data.checks.findings import Picture, whole
from kerastrash.data.checks.scan import Look, ScannedImage
from kerastrash.data.records import Crop, Source


@dataclass(frozen=True)
class Sighting:
    """A photograph or a crop that could be decoded."""

    look: Look
    picture: Picture
    index: int
    """Index of its photograph among those scanned."""
    file: str
    """SHA-256 (hex) of the photograph's file."""
    group: str
    """SHA-256 (hex) of the photograph by which splits are grouped; a record of a crop names that of its photograph."""
    labels: frozenset[int]
    """The classes that its pixels stand under; empty for a photograph that has boxes."""
    given: frozenset[str]
    """Splits that the source gives it."""
    own: frozenset[str]
    """Splits in which the prepared data hold it."""

    @property
    def region(self) -> Hashable:
        """Which pixels of which photograph."""
        return self.index, self.picture.crop.box


def photograph_name(crop: Crop) -> str:
    """The name of a crop's photograph in its source: the key of a crop with a box is `file_name#id`."""
    return crop.key if crop.box is None else crop.key.rpartition("#")[0]


def sight_photographs(source: Source, scanned: Sequence[ScannedImage], own: Mapping[str, str]) -> list[Sighting]:
    """One sighting for each photograph; `own` gives the split of each crop by its key."""
    seen = []
    for index, photograph in enumerate(scanned):
        if photograph.look is not None:
            crops = [source.crops[number] for number in photograph.crops]
            seen.append(_sighting(source, photograph, index, photograph.look, crops, own, whole_photograph=True))
    return seen


def sight_crops(source: Source, scanned: Sequence[ScannedImage], own: Mapping[str, str]) -> list[Sighting]:
    """One sighting for each crop with a box; a crop without one is its photograph."""
    seen = []
    for index, photograph in enumerate(scanned):
        for cut, look in photograph.cuts.items():
            crop = source.crops[cut]
            if crop.box is not None and isinstance(look, Look):
                seen.append(_sighting(source, photograph, index, look, [crop], own, whole_photograph=False))
    return seen


def _sighting(
    source: Source,
    photograph: ScannedImage,
    index: int,
    look: Look,
    crops: Sequence[Crop],
    own: Mapping[str, str],
    whole_photograph: bool,
) -> Sighting:
    labels = frozenset(crop.label for crop in crops)
    splits = frozenset(own[crop.key] for crop in crops if crop.key in own)
    given = frozenset(crop.split for crop in crops if crop.split)
    shown, name = (whole(crops[0]), photograph_name(crops[0])) if whole_photograph else (crops[0], crops[0].key)
    label = ", ".join(source.classes[number] for number in sorted(labels))
    picture = Picture(shown, name, label, " and ".join(sorted(given or splits)))
    boxed = whole_photograph and any(crop.box is not None for crop in crops)
    group = crops[0].photograph or photograph.file
    return Sighting(look, picture, index, photograph.file, group, frozenset() if boxed else labels, given, splits)


def grouped(sightings: Iterable[Sighting], key: Callable[[Sighting], Hashable], least: int = 2) -> list[list[Sighting]]:
    """The groups of at least `least` sightings that share a key, in the order of their first members."""
    groups: dict[Hashable, list[Sighting]] = {}
    for sighting in sightings:
        groups.setdefault(key(sighting), []).append(sighting)
    return [group for group in groups.values() if len(group) >= least]
