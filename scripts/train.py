"""Trains one net, or fine-tunes one that has learned before, and scores it: `kerastrash train`.

python scripts/train.py --net mobilenetv3_79 --input-size 156 --data annotations.json
python scripts/train.py --weights efficientnet_lite0 --learning-rate 0.01 --backbone-rate 0.1 --data DIR
python scripts/train.py --weights runs/first/best.keras --freeze 4 --norms frozen --data DIR
"""

from kerastrash.cli import main

if __name__ == "__main__":
    main("train")
