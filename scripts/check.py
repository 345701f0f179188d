"""Looks for leaks and faults in a data set: `python scripts/check.py --data annotations.json --strict`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("check")
