"""Trains or fine-tunes a net: `python scripts/train.py --weights efficientnet_lite0 --backbone-rate 0.1 --data DIR`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("train")
