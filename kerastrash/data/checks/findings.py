"""What a check can find: the kinds, how grave each is, and what it means."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any

from kerastrash.data.dataset import TINY
from kerastrash.data.records import Crop, Thing, grouped


class Severity(StrEnum):
    """An error makes the exit status 1; a warning asks for a look; a note is for information."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


ERROR, WARNING, NOTE = Severity


KINDS: dict[str, tuple[Severity, str, str]] = {
    "conflict": (ERROR, "Same pixels under two labels", "A net cannot learn both: keep the right label."),
    "leak": (ERROR, "Leak between splits", "The same picture is trained on and measured on: keep it in one split."),
    "near_conflict": (WARNING, "Near-duplicates under two labels", "Look at each pair: one label may be wrong."),
    "near_leak": (WARNING, "Near-duplicates across splits", "They make measured accuracy look better than it is."),
    "same_file": (WARNING, "Same file more than once", "Equal bytes (SHA-256); they count twice in training."),
    "same_pixels": (WARNING, "Same pixels in different files", "Saved anew: other bytes, the same picture."),
    "same_crop": (WARNING, "Identical crops", "One object annotated twice, or one picture inside another."),
    "missing_image": (WARNING, "Annotated images that are missing", "Their annotations are left out."),
    "bad_image": (WARNING, "Images that cannot be used", "They are left out."),
    "box_outside": (WARNING, "Boxes outside the image", "They are left out."),
    "box_without_area": (WARNING, "Boxes without area", "They are left out."),
    "annotation_id": (
        WARNING,
        "Annotation ids that stand twice",
        "All are kept here; readers that index by id keep the last of equal ids only.",
    ),
    "shared_file": (WARNING, "One file under several image ids", "Its annotations are spread over several entries."),
    "near_duplicate": (
        NOTE,
        "Near-duplicates",
        "Under one label and in one split: harmless, but fewer different pictures than it seems.",
    ),
    "left_out": (NOTE, "Left out", "Everything that is not used, by reason; including what is named elsewhere."),
    "box_clipped": (NOTE, "Boxes partly off the image", "They are clipped to it."),
    "orientation": (
        NOTE,
        "Images turned by EXIF",
        "Boxes apply to the picture as displayed, unless only the stored size agrees with the annotated one.",
    ),
    "tiny": (
        NOTE,
        "Tiny crops",
        f"Little is left to see in them; they are not searched for near-duplicates. A side under {TINY} pixels.",
    ),
    "flat": (
        NOTE,
        "Pictures of almost one colour",
        "A perceptual hash says nothing about them: they are not "
        "searched for near-duplicates. Identical copies of whole photographs are found all the same.",
    ),
    "unannotated": (NOTE, "Images without annotation", "No crop comes from them."),
    "no_licence": (NOTE, "Images without a licence", "The annotation file states none for them."),
}
"""What can be found, the gravest first: name -> how grave it is, its title, and what it means."""


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

    kind: str
    """One of KINDS."""
    items: Sequence[Item]
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
        groups = grouped(self.items, attrgetter("note"))
        if 2 * len(groups) > len(self.items):
            return [("", [item.line for item in self.items])]
        lines = {note: [" and ".join(item.names) for item in items] for note, items in groups.items()}
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
        head = {"kind": self.kind, "severity": self.severity.value, "title": self.title, "meaning": self.meaning}
        return {**head, "count": len(items), "items": items}


def repeated(things: Iterable[Thing], key: Callable[[Thing], Hashable]) -> list[list[Thing]]:
    """The groups of two or more things that share a key, in the order of their first members."""
    return [group for group in grouped(things, key).values() if len(group) > 1]


def present(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that hold something, the gravest kind first."""
    order = list(KINDS)
    return tuple(sorted((finding for finding in findings if finding.items), key=lambda one: order.index(one.kind)))
