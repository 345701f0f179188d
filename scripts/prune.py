"""Prunes a trained model by whole channels, fine-tuning as it goes: `kerastrash prune`.

python scripts/prune.py runs/NAME/best.keras --data annotations.json --target 0.5
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("prune")
