"""A set is built, read and trained from in a process that cannot find tensorflow."""

import os
import subprocess
import sys

SCRIPT = """
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

find = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda cls, name, path=None, target=None: None if name == "tensorflow" else find(name, path, target)
)
assert importlib.util.find_spec("tensorflow") is None

from kerastrash.data import DataConfig, prepare
from kerastrash.data.tfds.command import TfdsConfig, build_tfds

annotations, folder = sys.argv[1], Path(sys.argv[2])
build_tfds(TfdsConfig(data=annotations, name="small", tfds_folder=folder / "tfds"))
dataset = prepare(DataConfig(data="tfds:small", tfds_folder=folder / "tfds", cache=folder / "cache"), 16)
assert len(dataset.crops) == 28

from kerastrash.models import build_model
from kerastrash.models import Conv, InvertedResidual, Pool
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

rows = (Conv(8, kernel=3, stride=2), InvertedResidual(3, 2, 8, True, True, 1), Conv(16), Pool())
training = train(lambda: build_model(rows, 16, classes=2), dataset, Recipe(epochs=1, batch_size=6), folder / "run")
assert training.model.is_file()
assert not [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]
print("trained")
"""


def test_a_set_is_built_read_and_trained_from_without_tensorflow(annotations, tmp_path):
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    arguments = [sys.executable, "-c", SCRIPT, str(annotations()), str(tmp_path / "out")]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("trained\n")
