"""Trains a small net on what others say: `python scripts/distill.py --teachers runs/NAME/best.keras --data DIR`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("distill")
