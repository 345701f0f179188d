"""Adjusts a trained classifier to how frequent its classes are: `kerastrash adjust`.

python scripts/adjust.py runs/NAME/best.keras --data annotations.json
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("adjust")
