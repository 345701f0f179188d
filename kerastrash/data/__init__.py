"""Cached crops and their split, made of whatever `--data` can name. Imports neither keras nor the console.

The names below are imported when they are first used: who only decodes an image loads no readers and caches.
The batches that feed a model are in `kerastrash.training.batches`, which does import keras.
"""

from kerastrash import lazy_names

_HOMES = {
    "kerastrash.data.records": "Crop Dataset LeftOut SplitData Source",
    "kerastrash.data.config": "DataConfig",
    "kerastrash.data.sources": "open_source",
    "kerastrash.data.dataset": "prepare summarise",
    "kerastrash.data.images": "read_crop",
}
__all__, __getattr__, __dir__ = lazy_names(__name__, _HOMES)
