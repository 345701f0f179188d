"""Decodes a data set into the cache: `python scripts/prepare.py --data annotations.json --input-size 96`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("prepare")
