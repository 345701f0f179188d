"""Compares nets and methods on one data set: `python scripts/compare.py data/systems/smoke.yaml`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("compare")
