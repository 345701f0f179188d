"""Findings on single files and crops: missing, unreadable, left out, turned by EXIF, tiny."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from kerastrash.data.checks.findings import Finding, Item, Kind, Picture, whole
from kerastrash.data.checks.scan import Look, ScannedImage
from kerastrash.data.counts import TINY
from kerastrash.data.images import QUARTER_TURNED
from kerastrash.data.records import Crop, Frame, LeftOut, Source


def file_findings(source: Source, scanned: Sequence[ScannedImage], left_out: Iterable[LeftOut]) -> list[Finding]:
    """What is wrong with single photographs and crops; `left_out` is everything that is not used."""
    missing, bad = [], []
    for photograph in scanned:
        if photograph.look is None:
            item = Item((photograph.name,), photograph.reason)
            (missing if _is_missing(photograph.crops[0]) else bad).append(item)
    return [
        Finding(Kind.MISSING_IMAGE, tuple(missing)),
        Finding(Kind.BAD_IMAGE, tuple(bad)),
        Finding(Kind.LEFT_OUT, tuple(Item((item.what,), item.reason) for item in left_out)),
        _orientations(scanned),
        Finding(Kind.TINY, tuple(_tiny(source, scanned)), f"A side under {TINY} pixels."),
    ]


def left_out_of(source: Source, scanned: Sequence[ScannedImage]) -> list[LeftOut]:
    """What a source that cannot be prepared leaves out: as it says itself, and what the scan could not use."""
    unusable = [
        LeftOut(crop.key, photograph.reason)
        for photograph in scanned
        if photograph.look is None
        for crop in photograph.crops
    ]
    return [*source.left_out, *unusable]


def _is_missing(crop: Crop) -> bool:
    return isinstance(crop.image, Path) and not crop.image.exists()


def _orientations(scanned: Sequence[ScannedImage]) -> Finding:
    items = []
    for photograph in scanned:
        if photograph.orientation not in (0, 1):
            crop = photograph.crops[0]
            note = f"orientation {photograph.orientation}: {_agreement(photograph, crop.frame)}"
            pictures = (Picture(whole(crop), photograph.name),) if photograph.look else ()
            items.append(Item((photograph.name,), note, pictures))
    return Finding(Kind.ORIENTATION, tuple(sorted(items, key=lambda item: item.note)))


def _agreement(photograph: ScannedImage, annotated: Frame | None) -> str:
    """With which size of a turned photograph the annotated one agrees."""
    stored = photograph.stored
    displayed = stored[::-1] if photograph.orientation in QUARTER_TURNED else stored
    if annotated is None:
        return "no annotated size to compare"
    if stored == displayed == annotated:
        return "annotated size is that of the stored and the displayed picture"
    if annotated in (displayed, stored):
        return f"annotated size is that of the {'displayed' if annotated == displayed else 'stored'} picture"
    return "annotated size is neither that of the stored nor of the displayed picture"


def _tiny(source: Source, scanned: Sequence[ScannedImage]) -> Iterable[Item]:
    for photograph in scanned:
        for crop, look in zip(photograph.crops, photograph.cuts, strict=False):
            if isinstance(look, Look) and min(look.size) < TINY:
                note = f"{look.size[0]} x {look.size[1]} px"
                yield Item((crop.key,), note, (Picture(crop, crop.key, source.classes[crop.label]),))
