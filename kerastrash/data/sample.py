"""The sample: 600 photographs of TrashNet that travel with the package, a COCO file like everyone's data."""

from pathlib import Path

SAMPLE = "sample"
"""The word that names it to `--data`."""
SAMPLE_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "sample"
"""Where it lies: annotations.json and images/, with the licence and the account of how it was made."""
