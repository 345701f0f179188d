"""Scores a saved model: macro F1, two clocks beside the baseline net, and the contest's score.

python scripts/score.py runs/NAME/best.keras --data annotations.json --runtime openvino
python scripts/score.py best.onnx --data annotations.json
"""

import kerastrash.default_backend  # noqa: F401, I001  before Keras is imported

from kerastrash.cli import run
from kerastrash.console import results
from kerastrash.files import write_json
from kerastrash.scoring.config import ScoreConfig
from kerastrash.scoring.report import score_model
from kerastrash.reports.score import score_tables


def main(config: ScoreConfig) -> None:
    """Score a saved model: macro F1, two clocks at batch 1 beside a baseline net, and the contest's score."""
    report = score_model(config)
    results().print(*score_tables(report), sep="\n")
    if config.output:
        write_json(config.output, report.settings())


if __name__ == "__main__":
    run(main)
