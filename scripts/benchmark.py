"""Times model files of any format in turns: `python scripts/benchmark.py a.onnx b.tflite --data annotations.json`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("benchmark")
