"""Exports a saved model to the formats that devices run, each file compared with the model on real images.

python scripts/export.py runs/NAME/best.keras --formats onnx litert --data annotations.json
"""

import kerastrash.default_backend  # noqa: F401, I001  before Keras is imported

from kerastrash.cli import run
from kerastrash.console import results
from kerastrash.export.export import export_formats
from kerastrash.export.config import ExportConfig
from kerastrash.export.agreement import ExportReport
from kerastrash.reports.export import export_tables


def main(config: ExportConfig) -> int:
    """Export a saved model and check every file in its own runtime: exit status 1 where a format failed."""
    attempts = export_formats(config)
    results().print(*export_tables(attempts, str(config.model)), sep="\n")
    return 0 if all(isinstance(attempt.outcome, ExportReport) for attempt in attempts) else 1


if __name__ == "__main__":
    run(main)
