"""From a COCO file, a folder or the drawn sample to cached crops and a split. Imports neither keras nor a backend.

The batches that feed a model are in `kerastrash.data.batches`, which does import keras.
"""

from kerastrash.data.config import DataConfig
from kerastrash.data.dataset import Dataset, Part, open_source, prepare
from kerastrash.data.images import read_crop
from kerastrash.data.records import Crop, LeftOut, Source
from kerastrash.data.summary import print_summary, summarise

__all__ = [
    "Crop",
    "DataConfig",
    "Dataset",
    "LeftOut",
    "Part",
    "Source",
    "open_source",
    "prepare",
    "print_summary",
    "read_crop",
    "summarise",
]
