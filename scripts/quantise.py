"""Quantises a trained model to int8 for ONNX Runtime or OpenVINO, and says what that costs in accuracy.

python scripts/quantise.py runs/NAME/best.keras --runtime onnx --data annotations.json
"""

import kerastrash.default_backend  # noqa: F401, I001  before Keras is imported

from kerastrash.cli import part_of, run
from kerastrash.compress.config import QuantiseConfig, QuantiseSettings
from kerastrash.compress.quantise import quantise
from kerastrash.reports.compress import quantisation_table
from kerastrash.console import results
from kerastrash.data import DataConfig
from kerastrash.export.export import exported_name


def main(config: QuantiseConfig) -> None:
    """Quantise a trained model to int8: exit status 2, and no file, where it loses more macro F1 than allowed."""
    usual = config.model.parent / "exports" / exported_name(config.model.stem, config.runtime, "int8")
    output = config.output or usual
    report = quantise(
        config.model, config.runtime, output, part_of(DataConfig, config), part_of(QuantiseSettings, config)
    )
    results().print(quantisation_table(report))
    results().print(f"[bold]{output}[/] and {output.name}.json are written", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    run(main)
