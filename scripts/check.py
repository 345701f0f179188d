"""Checks a data set, prints what was found and writes it as a page: `kerastrash check`.

python scripts/check.py --data annotations.json --strict
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("check")
