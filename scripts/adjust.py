"""Adjusts a trained classifier to how frequent its classes are, by macro F1 on the validation split; trains nothing.

python scripts/adjust.py runs/NAME/best.keras --data annotations.json
"""

from dataclasses import dataclass
from pathlib import Path

import kerastrash.default_backend  # noqa: F401  before Keras is imported

# isort: split
from kerastrash.cli import part_of, run
from kerastrash.compress.config import TrainedModel
from kerastrash.console import results
from kerastrash.data import DataConfig
from kerastrash.files import sha256, write_json
from kerastrash.reports.adjustment import adjustment_json, adjustment_table, draw_adjustment
from kerastrash.runs import FREE_SETTINGS, open_run
from kerastrash.scoring.adjustment import adjust


@dataclass(frozen=True, kw_only=True)
class AdjustConfig(DataConfig, TrainedModel):
    """Which model is adjusted, on the data of its training, split as it was then."""

    name: str | None = None
    """Name of the run's folder; left out, that of the model's folder after `adjust-`."""
    runs: Path = Path("runs")
    """Folder of all runs."""


def main(config: AdjustConfig) -> None:
    """Adjust a trained classifier to its classes' frequencies: seconds of work, and no cost on the device."""
    folder = config.runs / (config.name or f"adjust-{config.model.resolve().parent.name}")
    with open_run(folder, config, free=FREE_SETTINGS):
        model = folder / "best.keras"
        adjustment = adjust(config.model, part_of(DataConfig, config), model)
        origin = {"source": str(config.model), "source_sha256": sha256(config.model)}
        write_json(folder / "adjust.json", adjustment_json(adjustment, **origin))
        draw_adjustment(adjustment, folder / "adjustment.png")
    results().print(adjustment_table(adjustment, f"{config.model}: {config.data}"))
    written = f"[bold]{model}[/], adjust.json and adjustment.png beside it are written"
    results().print(written, soft_wrap=True, highlight=False)


if __name__ == "__main__":
    run(main)
