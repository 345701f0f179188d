"""Scores a model: macro F1, two clocks beside the baseline net, and the contest's score: `kerastrash score`.

python scripts/score.py runs/NAME/best.keras --data annotations.json --runtime openvino
python scripts/score.py best.onnx --data annotations.json
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("score")
