"""Imported first by the scripts: torch is the Keras backend unless KERAS_BACKEND names another.

The library itself never chooses a backend for whoever imports it.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
