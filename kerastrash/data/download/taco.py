"""TACO from its published addresses to crops, every annotation accounted for.

Source: P. F. Proença, P. Simões, "TACO: Trash Annotations in Context for Litter Detection", arXiv:2003.06975;
https://github.com/pedropro/TACO.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.cli import part_of
from kerastrash.console import results
from kerastrash.data.config import DataConfig, check_config
from kerastrash.data.dataset import ANNOTATIONS, open_source, prepare_source
from kerastrash.data.download.account import account_for, account_table, missing_table
from kerastrash.data.download.annotations import Document, as_text, merge, read_annotations
from kerastrash.data.download.config import FetchConfig
from kerastrash.data.download.fetch import Missing, claim, fetch_all
from kerastrash.data.download.plan import plan_downloads
from kerastrash.data.summary import print_summary
from kerastrash.errors import DataError
from kerastrash.files import write_json, write_text

PUBLISHED = "https://raw.githubusercontent.com/pedropro/TACO/master/data"
MISSING = "missing.json"


@dataclass(frozen=True)
class TacoConfig(FetchConfig):
    """Fetch TACO and cut its crops."""

    which: Literal["official", "unofficial", "both"] = "official"
    """The reviewed annotations, those submitted by the public and not reviewed, or both."""

    annotations: str = f"{PUBLISHED}/annotations.json"
    """The official annotation file, or its address."""

    unofficial_annotations: str = f"{PUBLISHED}/annotations_unofficial.json"
    """The unofficial annotation file, or its address."""

    folder: Path = Path("data/taco")
    """Where the photographs go; then `--data data/taco` is the whole set."""

    categories: Path | None = None
    """Category map (YAML); by default TACO's."""

    cache: Path = Path("data/cache")
    """Folder of the decoded crops."""

    input_size: int = 96
    """Side of the square crops, in pixels."""


def prepare_taco(config: TacoConfig) -> None:
    """Fetches TACO's photographs from the addresses in its annotation files and cuts their crops; resumable."""
    data = DataConfig(
        data=str(config.folder / ANNOTATIONS), images=config.folder, categories=config.categories, cache=config.cache
    )
    check_config(data, config.input_size)
    with claim(config.folder) as state:
        document = _read_documents(config, state)
        photographs = plan_downloads(document["images"], config.folder)
        missing = fetch_all(photographs, state, part_of(FetchConfig, config))
        _report(missing, len(photographs), config.folder)
        write_text(config.folder / ANNOTATIONS, as_text(document))
    source = open_source(data)
    dataset = prepare_source(source, data, config.input_size)
    print_summary(dataset)
    account = account_for(source, dataset, {item.path for item in missing}, len(document["annotations"]))
    results().print(account_table(account))


def _read_documents(config: TacoConfig, state: Path) -> Document:
    origins = {"official": config.annotations, "unofficial": config.unofficial_annotations}
    documents = {
        name: read_annotations(origin, config.folder, state, config.categories, config)
        for name, origin in origins.items()
        if config.which in (name, "both")
    }
    return merge(documents) if len(documents) > 1 else documents[config.which]


def _report(missing: Sequence[Missing], total: int, folder: Path) -> None:
    """Writes missing.json and prints its first entries; raises DataError where everything is missing."""
    write_json(folder / MISSING, [item.as_row() for item in missing])
    if missing:
        results().print(missing_table(missing, total, folder / MISSING))
    if len(missing) == total:
        (reason, count), *_ = Counter(item.reason for item in missing).most_common(1) or [("it names none", 0)]
        raise DataError(f"{folder}: not one of {total} photographs could be had ({count} x {reason}); see {MISSING}")
