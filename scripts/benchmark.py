"""Times model files of any format in turns, beside a baseline: `kerastrash benchmark`.

python scripts/benchmark.py runs/NAME/best.keras --formats all --threads 1 2 --data annotations.json
python scripts/benchmark.py a.onnx b.tflite b.xml --data annotations.json
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("benchmark")
