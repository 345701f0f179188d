"""Compares nets and methods on one data set, over several seeds, in one run: `kerastrash compare`.

python scripts/compare.py data/systems/smoke.yaml
python scripts/compare.py SYSTEMS.yaml --data DIR --train-only
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("compare")
