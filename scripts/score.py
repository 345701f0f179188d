"""Scores a model, timed beside a baseline: `python scripts/score.py best.onnx --data annotations.json`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("score")
