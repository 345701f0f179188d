"""Trains a small net on what larger ones say: `kerastrash distill`.

python scripts/distill.py --teachers runs/lite0/best.keras --net mobilenetv3_79 --input-size 96 --data DIR
python scripts/distill.py --teacher-weights efficientnet_lite0 --net student.yaml --alone --data DIR
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("distill")
