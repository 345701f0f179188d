"""Finds, trains and scores a net: `python scripts/tune.py --data annotations.json --images photographs`."""

from kerastrash.cli import main

if __name__ == "__main__":
    main("tune")
