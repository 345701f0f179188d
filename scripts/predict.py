"""Classifies images by a model file of any format, a line an image: `kerastrash predict`.

python scripts/predict.py runs/NAME/best.onnx photographs/ --top 2
python scripts/predict.py best.tflite a.jpg b.jpg --json
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("predict")
