"""`train` on the device: crops are augmented, a training goes on, and memory that runs out ends in a sentence."""

import contextlib
import gc
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
import torch
from keras import ops
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kerastrash.augment.augmentation import Augmentation
from kerastrash.augment.device import augment_batch, plan_batch
from kerastrash.backends import batch_augmenter
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.errors import ConfigError
from kerastrash.files import read_csv
from kerastrash.models.saved import open_model
from kerastrash.training.fit import train
from kerastrash.training.recipe import Recipe

NET = "mobilenetv3_79"


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-3), ("mixed_float16", 3e-2)])
def test_a_training_goes_on_as_if_it_had_run_through(policy, tolerance, build, crops, tmp_path, measure):
    recipe = Recipe(
        epochs=3,
        batch_size=crops.images.shape[0] // 9,
        learning_rate=0.02,
        dtype_policy=policy,
        tf32=False,
        feeding="device",
    )
    found = {}
    for name, stops in (("through", [3]), ("parted", [1, 3])):
        for until in stops:
            training = train(partial(build, NET, policy), crops, recipe, tmp_path / name, until)
        assert open_model(training.model).output_shape == (None, 6)
        rows = read_csv(tmp_path / name / "metrics.csv")
        found[name] = np.array([[float(row[column]) for column in ("loss", "val_loss")] for row in rows])
    assert found["parted"].shape == (3, 2)
    measure({"losses": (np.max(np.abs(found["parted"] / found["through"] - 1)), tolerance)})


def test_augmentation_is_what_the_processor_computes(crops, measure):
    draws = Augmentation(n_select=2, turn=True).draw(3, 0, len(crops.images))
    with keras.device("cpu"):
        expected = ops.convert_to_numpy(augment_batch(crops.images, draws, 0.3))
    augmented = (batch_augmenter() or plan_batch)(draws, *crops.images.shape[1:3], 0.3)
    found = augmented(ops.convert_to_tensor(crops.images), ops.arange(len(crops.images), dtype="int32"))
    measure({"share of values apart": ((ops.convert_to_numpy(found) != expected).mean(), 1e-3)})


class Allocations(TorchDispatchMode):
    """A processor's stand-in for a GPU's memory: so many bytes in results of operations, and not one more."""

    def __init__(self, limit: float):
        super().__init__()
        self.limit, self.used = limit, 0

    def __torch_dispatch__(self, function, kinds, arguments=(), keywords=None):
        made = function(*arguments, **keywords or {})
        self.used += sum(leaf.nbytes for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor))
        if self.used > self.limit:
            raise torch.OutOfMemoryError("out of memory")
        return made


@contextlib.contextmanager
def memory(limit: float = float("inf")) -> Iterator[Callable[[], int]]:
    """Limits the memory of the device, in bytes, inside the block; gives what says how many were taken at most."""
    if not torch.cuda.is_available():
        with Allocations(limit) as taken:
            yield lambda: taken.used
        return
    gc.collect()  # what an earlier error has kept
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / torch.cuda.mem_get_info()[1]))
    try:
        yield torch.cuda.max_memory_reserved
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def ran_out(error: ConfigError) -> str:
    """Where memory ran out, by the functions that were under way."""
    assert "has no memory left for batch_size=" in str(error)
    names = {frame.name for frame in traceback.extract_tb(error.__cause__.__traceback__)}
    return "recording" if "_record" in names else "steps"


def test_memory_that_runs_out_is_explained_and_the_next_training_goes_on(
    build, tmp_path, on_gpu, record_property, rehearsed
):
    size, batch = (96, 32) if on_gpu else (32, 4)
    crops = synthetic_dataset(8 * batch, batch, size)
    recipe = Recipe(epochs=1, batch_size=batch, feeding="disk", workers=0)

    def trained(name: str, graphs: bool = True) -> None:
        train(partial(build, NET, size=size), crops, replace(recipe, graphs=graphs), tmp_path / name)

    peaks = []
    for graphs in (False, True):
        with memory() as taken:
            trained(f"peak-{graphs}", graphs)
        peaks.append(taken())
    single, recorded = peaks
    limits = [share * single for share in ((0.1, 0.2, 0.4, 0.8) if on_gpu else (0.5, 0.9))]
    limits += [single + share * (recorded - single) for share in (0.2, 0.4, 0.6, 0.8) if on_gpu]
    seen = set()
    for number, limit in enumerate(limits):
        with memory(limit):
            try:
                trained(f"limited-{number}")
                where = "nowhere"
            except ConfigError as error:
                where = ran_out(error)
        seen.add(where)
        record_property(f"out of {limit / 1e9:.2f} GB (it takes {recorded / 1e9:.2f})", where)
    trained("after")
    assert "steps" in seen
    rehearsed("a limit of memory")
    if "recording" not in seen:
        pytest.skip("memory ran out at no limit tried while steps were recorded: that is not tested")
