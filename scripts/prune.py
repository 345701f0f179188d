"""Prunes a trained model by whole channels to a share of its cost or to a time, fine-tuning as it goes.

python scripts/prune.py runs/NAME/best.keras --data annotations.json --target 0.5
"""

import kerastrash.default_backend  # noqa: F401, I001  before Keras is imported

from kerastrash.cli import part_of, run
from kerastrash.compress.prune import prune
from kerastrash.compress.config import PruneConfig, PruneSettings
from kerastrash.reports.compress import draw_widths, prune_table
from kerastrash.console import results
from kerastrash.data import DataConfig
from kerastrash.runs import FREE_SETTINGS, open_run
from kerastrash.training.recipe import Recipe


def main(config: PruneConfig) -> None:
    """Prune a trained model by whole channels; the same command after a kill goes on where it stopped."""
    with open_run(config.folder, config, free=FREE_SETTINGS) as folder:
        report = prune(
            config.model, part_of(DataConfig, config), part_of(Recipe, config), part_of(PruneSettings, config), folder
        )
        draw_widths(report.widths, folder / "widths.png")
    results().print(prune_table(report))
    written = f"[bold]{report.model}[/], prune.json and widths.png beside it are written"
    results().print(written, soft_wrap=True, highlight=False)


if __name__ == "__main__":
    run(main)
