"""Every net, narrow and shallow, on torch's meta device, a stand-in for a GPU: `python on_meta.py POLICY` prints JSON.

Tensors there have a device, a shape and a dtype, and no numbers: an operation on tensors of two devices is seen on any
machine. Started by `test_meta.py`, as Keras reads the device when it is imported.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable

os.environ |= {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": "meta"}

import keras
import numpy as np
import torch
from keras.src.backend.torch import core
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kerastrash.backends import inference_function, training_model
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.models import build_model, preset_names
from kerastrash.training import feeding
from kerastrash.training.batches import FollowEpochs
from kerastrash.training.fit import compile_by_recipe
from kerastrash.training.recipe import Recipe

COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
IN_PLACE = (
    torch.ops.aten._fused_sgd_.default,
    torch.ops.aten._amp_foreach_non_finite_check_and_unscale_.default,
    torch.ops.aten._amp_update_scale_.default,
)
"""Kernels without a form for meta tensors."""
READS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)
SIZE, BATCH = 48, 4


class DeviceName(str):
    """A name that equals the device: Keras compares them, and makes anew, without gradient, what is elsewhere."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return str(other) == str(self)

    def __ne__(self, other: object) -> bool:
        return str(other) != str(self)


core.DEFAULT_DEVICE = DeviceName("meta")


class Device(TorchDispatchMode):
    """Keeps account of what a GPU would do; what is read from the device is ones."""

    def __init__(self):
        super().__init__()
        self.mixed: set[str] = set()
        """Operations on tensors of two devices."""
        self.sent = 0
        """Copies from the host."""
        self.waited = 0
        """Copies to the host and other reads, for which the host waits until the device has done all before."""

    def __torch_dispatch__(self, function, kinds, arguments=(), keywords=None):
        keywords = keywords or {}
        tensors = [leaf for leaf in tree_leaves((arguments, keywords)) if isinstance(leaf, torch.Tensor)]
        here = any(tensor.is_meta for tensor in tensors)
        if function in COPIES:
            return self._copied(function, arguments, keywords)
        if here and not all(tensor.is_meta or not tensor.ndim for tensor in tensors):
            self.mixed.add(str(function))
        if here and function in READS:
            self.waited += 1
            return 1
        if here and function in IN_PLACE:
            return arguments[0] if function._schema.returns else None
        return function(*arguments, **keywords)

    def _copied(self, function, arguments, keywords):
        """A copy; of what comes from the device, the shape with ones."""
        target, source = arguments[:2] if function is COPIES[1] else (None, arguments[0])
        device = torch.device(keywords.get("device") or source.device) if target is None else target.device
        self.sent += device.type == "meta" and not source.is_meta
        if source.is_meta and device.type == "cpu":
            self.waited += 1
            source = torch.ones(source.shape, dtype=source.dtype)
        return function(source, **keywords) if target is None else function(target, source, *arguments[2:], **keywords)


def infer(net: keras.Model, images: np.ndarray) -> Device:
    """The inference function on a batch from the host."""
    with Device() as device:
        assert inference_function(net)(images).shape == (BATCH, 6)
    return device


def train(net: keras.Model, images: np.ndarray) -> Device:
    """Two training steps on a batch that lies on the device; of the copies, those of the second alone."""
    model = training_model(net)
    compile_by_recipe(model, synthetic_dataset(BATCH, 1, SIZE), Recipe(), steps=10)
    batch = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(np.arange(BATCH))
    with Device() as first:
        model.train_step(batch)
    with Device() as second:
        model.train_step(batch)
    second.mixed |= first.mixed
    return second


def account(path: Callable[[keras.Model, np.ndarray], Device], net: keras.Model) -> dict:
    """What became of a path through a net."""
    try:
        device = path(net, np.zeros((BATCH, SIZE, SIZE, 3), "uint8"))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"mixed": sorted(device.mixed), "sent": device.sent, "waited": device.waited}


class Sent(keras.callbacks.Callback):
    """Keeps how often an epoch sent and waited: as it began, in each step, for the metrics of each pass."""

    def __init__(self, device: Device):
        super().__init__()
        self.device, self.before, self.kept = device, (0, 0), {}

    def _keep(self, part: str) -> None:
        now = self.device.sent, self.device.waited
        self.kept[part] = [*self.kept.get(part, []), [now[0] - self.before[0], now[1] - self.before[1]]]
        self.before = now

    def on_epoch_begin(self, epoch, logs=None):
        self.kept = {}
        self._keep("begin")

    def on_train_batch_end(self, batch, logs=None):
        self._keep("steps")

    def on_test_begin(self, logs=None):
        self._keep("metrics")

    def on_test_batch_end(self, batch, logs=None):
        self._keep("validation")

    def on_test_end(self, logs=None):
        self._keep("metrics")


def feed(form: str) -> dict:
    """The second epoch of a `fit` from the device, four steps whose batches are augmented two at a time.

    `triton` is that form with kernels that do nothing, as Triton has none for meta tensors.
    """
    feeding.AT_ONCE = 2 * BATCH * SIZE * SIZE * 3
    if form == "triton":
        from kerastrash.backends.torch import augmentation

        for kernel in ("resample", "tabulate", "change"):
            setattr(augmentation, kernel, defaultdict(lambda: lambda *given, **settings: None))
        feeding.batch_augmenter = lambda: augmentation.plan_batch
    recipe = Recipe(batch_size=BATCH, feeding="device", cutout=0.3)
    dataset = synthetic_dataset(4 * BATCH, 2 * BATCH, SIZE)
    model = training_model(build_model("mobilenetv3_79", SIZE, width=0.25))
    compile_by_recipe(model, dataset, recipe, steps=10)
    with Device() as device:
        batches = feeding.training_batches(dataset, recipe)
        validation = feeding.evaluation_batches(dataset, "val", recipe)
        told = [FollowEpochs(batches), sent := Sent(device)]
        model.fit(batches, validation_data=validation, epochs=2, callbacks=told, shuffle=False, verbose=0)
    return sent.kept | {"mixed": sorted(device.mixed)}


if __name__ == "__main__":
    if sys.argv[1] == "feeding":
        print(json.dumps(feed(sys.argv[2])))
        sys.exit()
    keras.config.set_dtype_policy(sys.argv[1])
    nets = {name: build_model(name, SIZE, width=0.25, depth=0.3) for name in preset_names()}
    found = {name: {path.__name__: account(path, net) for path in (infer, train)} for name, net in nets.items()}
    print(json.dumps(found))
