"""Prunes a trained net by whole channels: `python scripts/prune.py runs/NAME --data annotations.json --target 0.5`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("prune")
