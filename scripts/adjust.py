"""Adjusts a trained net to its classes' frequencies: `python scripts/adjust.py runs/NAME --data annotations.json`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("adjust")
