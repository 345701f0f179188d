"""Quantises a trained model to int8, and says what that costs in accuracy: `kerastrash quantise`.

python scripts/quantise.py runs/NAME/best.keras --runtime onnx --data annotations.json
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("quantise")
