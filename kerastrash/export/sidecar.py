"""What is known of an exported file, and its sidecar `FILE.json`, which keeps that."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kerastrash.export.agreement import Agreement
from kerastrash.export.description import Description
from kerastrash.export.formats import FormatName
from kerastrash.files import write_json
from kerastrash.settings import to_dict


@dataclass(frozen=True)
class ExportReport:
    """One file, where it comes from, and how it compares."""

    format: FormatName
    file: str
    """Its name; of a SavedModel, the folder's."""
    bytes: int
    """On the disk, all parts together."""
    source: str
    """The `.keras` file as it was named."""
    source_sha256: str
    description: Description
    input_size: int
    """Side in pixels of the square images it takes."""
    runtime: str
    """What it was opened in."""
    agreement: Agreement
    versions: dict[str, str]
    """Of the packages that wrote and opened it."""
    written: str
    """When: ISO 8601, UTC."""


def sidecar_path(path: Path) -> Path:
    """`FILE.json` beside an exported file or folder."""
    return path.with_name(f"{path.name}.json")


def write_sidecar(report: ExportReport, path: Path) -> None:
    """Writes the report beside the exported file `path`."""
    write_json(sidecar_path(path), to_dict(report))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_on_disk(path: Path) -> int:
    """Bytes of a model: of its file and the `.bin` that an OpenVINO model has beside it, or of all in its folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    weights = path.with_suffix(".bin")
    return path.stat().st_size + (weights.stat().st_size if path.suffix == ".xml" else 0)
