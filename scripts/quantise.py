"""Quantises a trained net to int8: `python scripts/quantise.py runs/NAME --runtime onnx --data annotations.json`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("quantise")
