"""Where every annotation of the file has gone: cut, mapped out, left out, or on a photograph that is missing."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from kerastrash.data.dataset import Dataset
from kerastrash.data.download.fetch import Missing
from kerastrash.data.records import Source

NAMED = 10
"""How many missing photographs are printed; the file names all."""
CUT, MAPPED_OUT, MISSING = "cut", "mapped to no class", "photograph missing"


def account_for(source: Source, dataset: Dataset, missing: Collection[Path], total: int) -> dict[str, int]:
    """Counts of annotations: cut, mapped to no class, photograph missing, then every other reason.

    Args:
        missing: paths of the photographs that could not be had.
        total: annotations in the file, with which the counts must agree.
    """
    kept = {crop.key for crop in dataset.crops}
    dropped = {crop.key: crop.image for crop in source.crops if crop.key not in kept}
    counts = Counter({CUT: len(kept), MAPPED_OUT: 0, MISSING: sum(path in missing for path in dropped.values())})
    reasons = {item.what: item.reason for item in dataset.left_out}
    for item in source.left_out:
        counts[MAPPED_OUT if item.reason.endswith(MAPPED_OUT) else item.reason] += 1
    for key, path in dropped.items():
        if path not in missing:
            counts[reasons.get(key, "left out by the cache")] += 1
    if counts.total() != total:
        raise RuntimeError(f"{counts.total()} annotations are accounted for, the file holds {total}: {dict(counts)}")
    return dict(counts)


def account_table(account: dict[str, int]) -> Table:
    """The counts and their sum."""
    table = Table("annotations", title="every annotation accounted for", title_justify="left", show_footer=True)
    table.columns[0].footer = "in the file"
    table.add_column("count", justify="right", footer=str(sum(account.values())))
    for name, count in account.items():
        table.add_row(escape(name), str(count))
    return table


def missing_table(missing: Sequence[Missing], total: int, path: Path) -> Table:
    """The first photographs that could not be had, each with its address and the reason."""
    title = f"missing: {len(missing)} of {total} photographs; all are named in {path}"
    table = Table("photograph", "address", "reason", title=escape(title), title_justify="left")
    for item in missing[:NAMED]:
        table.add_row(*map(escape, item.as_row().values()))
    return table
