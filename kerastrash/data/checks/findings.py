"""What a check can find: the kinds, how grave each is, and what it means."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kerastrash.data.records import Crop


class Severity(StrEnum):
    """An error makes the exit status 1; a warning asks for a look; a note is for information."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Kind(StrEnum):
    """What was found; the gravest first."""

    CONFLICT = "conflict"
    LEAK = "leak"
    NEAR_CONFLICT = "near_conflict"
    NEAR_LEAK = "near_leak"
    SAME_FILE = "same_file"
    SAME_PIXELS = "same_pixels"
    SAME_CROP = "same_crop"
    MISSING_IMAGE = "missing_image"
    BAD_IMAGE = "bad_image"
    BOX_OUTSIDE = "box_outside"
    BOX_WITHOUT_AREA = "box_without_area"
    ANNOTATION_ID = "annotation_id"
    SHARED_FILE = "shared_file"
    NEAR_DUPLICATE = "near_duplicate"
    LEFT_OUT = "left_out"
    BOX_CLIPPED = "box_clipped"
    ORIENTATION = "orientation"
    TINY = "tiny"
    FLAT = "flat"
    UNANNOTATED = "unannotated"
    NO_LICENCE = "no_licence"


ERROR, WARNING, NOTE = Severity
KINDS: dict[Kind, tuple[Severity, str, str]] = {
    Kind.CONFLICT: (ERROR, "Same pixels under two labels", "A net cannot learn both: keep the right label."),
    Kind.LEAK: (ERROR, "Leak between splits", "The same picture is trained on and measured on: keep it in one split."),
    Kind.NEAR_CONFLICT: (WARNING, "Near-duplicates under two labels", "Look at each pair: one label may be wrong."),
    Kind.NEAR_LEAK: (WARNING, "Near-duplicates across splits", "They make measured accuracy look better than it is."),
    Kind.SAME_FILE: (WARNING, "Same file more than once", "Equal bytes (SHA-256); they count twice in training."),
    Kind.SAME_PIXELS: (WARNING, "Same pixels in different files", "Saved anew: other bytes, the same picture."),
    Kind.SAME_CROP: (WARNING, "Identical crops", "One object annotated twice, or one picture inside another."),
    Kind.MISSING_IMAGE: (WARNING, "Annotated images that are missing", "Their annotations are left out."),
    Kind.BAD_IMAGE: (WARNING, "Images that cannot be used", "They are left out."),
    Kind.BOX_OUTSIDE: (WARNING, "Boxes outside the image", "They are left out."),
    Kind.BOX_WITHOUT_AREA: (WARNING, "Boxes without area", "They are left out."),
    Kind.ANNOTATION_ID: (WARNING, "Annotation ids that stand twice", "All are kept here; readers that index by id keep "
                         "the last of equal ids only."),
    Kind.SHARED_FILE: (WARNING, "One file under several image ids", "Its annotations are spread over several entries."),
    Kind.NEAR_DUPLICATE: (NOTE, "Near-duplicates", "Under one label and in one split: harmless, but fewer "
                          "different pictures than it seems."),
    Kind.LEFT_OUT: (NOTE, "Left out", "Everything that is not used, by reason; including what is named elsewhere."),
    Kind.BOX_CLIPPED: (NOTE, "Boxes partly off the image", "They are clipped to it."),
    Kind.ORIENTATION: (NOTE, "Images turned by EXIF", "Boxes apply to the picture as displayed, unless only the stored "
                       "size agrees with the annotated one."),
    Kind.TINY: (NOTE, "Tiny crops", "Little is left to see in them; they are not searched for near-duplicates."),
    Kind.FLAT: (NOTE, "Pictures of almost one colour", "A perceptual hash says nothing about them: they are not "
                "searched for near-duplicates. Identical copies of whole photographs are found all the same."),
    Kind.UNANNOTATED: (NOTE, "Images without annotation", "No crop comes from them."),
    Kind.NO_LICENCE: (NOTE, "Images without a licence", "The annotation file states none for them."),
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A photograph or a crop that a finding names."""

    crop: Crop
    """What to cut; without a box it is the whole photograph."""
    name: str
    label: str = ""
    """Class name or names; empty for a photograph with crops of several."""
    split: str = ""
    """`train`, `val` or `test`; or several joined by `and`; empty where it is in none."""


@dataclass(frozen=True)
class Item:
    """One thing found: what it concerns, and what is to be said of it."""

    names: tuple[str, ...]
    note: str = ""
    pictures: tuple[Picture, ...] = ()

    @property
    def line(self) -> str:
        """The item in one line."""
        return " and ".join(self.names) + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class Finding:
    """Everything found of one kind."""

    kind: Kind
    items: tuple[Item, ...]
    detail: str = ""
    """A sentence on this finding beyond the meaning of its kind."""

    @property
    def severity(self) -> Severity:
        return KINDS[self.kind][0]

    @property
    def title(self) -> str:
        return KINDS[self.kind][1]

    @property
    def meaning(self) -> str:
        return f"{KINDS[self.kind][2]} {self.detail}".strip()

    def by_note(self) -> list[tuple[str, list[str]]]:
        """The lines under each note, the most frequent note first; all under one empty note where few share theirs."""
        lines: dict[str, list[str]] = {}
        for item in self.items:
            lines.setdefault(item.note, []).append(" and ".join(item.names))
        if 2 * len(lines) > len(self.items):
            return [("", [item.line for item in self.items])]
        return sorted(lines.items(), key=lambda entry: -len(entry[1]))

    def plain(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        items = [
            {
                "names": list(item.names),
                "note": item.note,
                "labels": [picture.label for picture in item.pictures],
                "splits": [picture.split for picture in item.pictures],
            }
            for item in self.items
        ]
        head = {"kind": self.kind.value, "severity": self.severity.value, "title": self.title, "meaning": self.meaning}
        return {**head, "count": len(items), "items": items}


def whole(crop: Crop) -> Crop:
    """The photograph of a crop, as something to show."""
    return replace(crop, box=None)


def present(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that hold something, the gravest kind first."""
    order = list(Kind)
    return tuple(sorted((finding for finding in findings if finding.items), key=lambda one: order.index(one.kind)))
