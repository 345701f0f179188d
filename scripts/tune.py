"""Finds, trains and scores a classifier: `kerastrash tune`; without options on the sample, with `--data` on your own.

python scripts/tune.py --data annotations.json --images photographs
python scripts/tune.py --data DIR --max-params 300000 --retrain-epochs 100
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("tune")
