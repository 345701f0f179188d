"""Exports a saved model to the formats that devices run, each file checked: `kerastrash export`.

python scripts/export.py runs/NAME/best.keras --formats onnx litert --data annotations.json
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("export")
