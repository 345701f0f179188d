"""Exports a model to formats that devices run: `python scripts/export.py runs/NAME --formats onnx litert`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("export")
