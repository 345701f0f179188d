"""Classifies images, a line an image: `python scripts/predict.py runs/NAME/best.onnx photographs/ --top 2`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("predict")
