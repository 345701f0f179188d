"""Every net, narrow and shallow, on torch's meta device, a stand-in for a GPU: `python on_meta.py POLICY` prints JSON.

Tensors there have a device, a shape and a dtype, and no numbers: an operation on tensors of two devices is seen on any
machine. Started by `test_meta.py`, as Keras reads the device when it is imported.
"""

import json
import os
import sys
from collections import ChainMap, defaultdict
from collections.abc import Callable
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": "meta"}

import keras
import numpy as np
import torch
from keras.src.backend.torch import core
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kerastrash.augment.augmentation import Augmentation
from kerastrash.backends import inference_function, training_model
from kerastrash.compress.config import DistillSettings
from kerastrash.compress.distill import Lessons, Teacher
from kerastrash.data.dataset import synthetic_dataset
from kerastrash.models import build_model, preset_names
from kerastrash.training import feeding
from kerastrash.training.batches import FollowEpochs
from kerastrash.training.callbacks import WeightAverage
from kerastrash.training.checkpoint import EpochRecorder
from kerastrash.training.fit import compile_by_recipe
from kerastrash.training.recipe import Recipe

COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
IN_PLACE = (
    torch.ops.aten._fused_sgd_.tensor_lr,
    torch.ops.aten._amp_foreach_non_finite_check_and_unscale_.default,
    torch.ops.aten._amp_update_scale_.default,
)
"""Kernels without a form for meta tensors."""
READS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)
SIZE, BATCH = 48, 4
DATASET = synthetic_dataset(BATCH, 1, SIZE)


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
        self.constants = Constants(self)
        self.mixed: set[str] = set()
        """Operations on tensors of two devices."""
        self.sent = 0
        """Copies from the host."""
        self.waited = 0
        """Copies to the host and other reads, for which the host waits until the device has done all before."""
        self.kernels = 0
        """Operations that compute something, or move it; a library may need several kernels for one."""
        self.bytes = 0
        """Bytes of what they read and write, each tensor once an operation."""

    def __enter__(self):
        self.constants.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.constants.__exit__(*error)

    def __torch_dispatch__(self, function, kinds, arguments=(), keywords=None):
        keywords = keywords or {}
        tensors = [leaf for leaf in tree_leaves((arguments, keywords)) if isinstance(leaf, torch.Tensor)]
        here = any(tensor.is_meta for tensor in tensors)
        given = self._given(function, arguments, keywords, tensors, here)
        if here and not function.is_view and "empty" not in str(function):
            touched = {id(leaf): leaf for leaf in (*tensors, *tree_leaves(given)) if isinstance(leaf, torch.Tensor)}
            sizes = (min(each.nbytes, each.untyped_storage().nbytes()) for each in touched.values())
            self.kernels, self.bytes = self.kernels + 1, self.bytes + sum(sizes)
        return given

    def _given(self, function, arguments, keywords, tensors, here):
        """What the operation gives, on the device or in its place."""
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


class Constants(TorchFunctionMode):
    """Counts the tensors that are made on the device of the host's numbers: copies, which no dispatch sees there."""

    def __init__(self, device: Device):
        super().__init__()
        self.device = device

    def __torch_function__(self, function, kinds, arguments=(), keywords=None):
        made = function(*arguments, **keywords or {})
        if function in (torch.tensor, torch.as_tensor) and not isinstance(arguments[0], (torch.Tensor, np.ndarray)):
            self.device.sent += made.is_meta
        return made


def infer(net: keras.Model, images: np.ndarray) -> dict[str, Device]:
    """The inference function on a batch from the host."""
    run = inference_function(net)
    with Device() as device:
        assert run(images).shape == (BATCH, 6)
    return {"infer": device}


def train(net: keras.Model, images: np.ndarray) -> dict[str, Device]:
    """A training step, one of the averages that follow it, a validation step, and what the end of an epoch takes."""
    model = training_model(net)
    compile_by_recipe(model, DATASET, Recipe(), steps=10)
    batch = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(np.arange(BATCH))
    with Device():  # it begins with what it reads
        average = WeightAverage(net, 0.9, None)
    average.set_model(model)
    average.set_params({"steps": 10})
    average.on_epoch_begin(0)
    paths = {"train": second(lambda: model.train_step(batch)), "average": second(lambda: average.on_train_batch_end(0))}
    with Device() as paths["evaluate"]:
        model.test_step(batch)
    with Device() as paths["swap"], average.swapped_in():
        pass
    with Device() as paths["figures"]:
        model.get_metrics_result()
    recorder = EpochRecorder(Path(), 0, DATASET.classes, net, average, "last")
    recorder.set_model(model)
    recorder._write = lambda *arguments: None  # what it copied is read by a thread, while the next epoch trains
    with Device() as paths["copy"]:
        recorder.on_epoch_end(0, {"loss": 0.0, "val_loss": 0.0, "val_macro_f1": 0.0, "averaged_f1": 0.0})
    return paths


def second(step: Callable[[], None]) -> Device:
    """The account of the second of two steps, and operations on two devices in either."""
    with Device() as first:
        step()
    with Device() as device:
        step()
    device.mixed |= first.mixed
    return device


def distill_logits(net: keras.Model, images: np.ndarray) -> dict[str, Device]:
    """A training step by what a teacher says."""
    return {"distill_logits": distill(net, images, features=0.0)}


def distill_features(net: keras.Model, images: np.ndarray) -> dict[str, Device]:
    """A training step by what a teacher says and by its features."""
    return {"distill_features": distill(net, images, features=0.5)}


def distill(net: keras.Model, images: np.ndarray, features: float) -> Device:
    """A training step by what a teacher like the net itself says."""
    taught = keras.layers.Concatenate()([net.output, net.layers[-1].input]) if features else net.output
    teacher = Teacher(Path(), keras.Model(net.input, taught), DATASET, Path(), ())
    lessons = Lessons([teacher], Augmentation(), 0, DistillSettings(features=features))
    model = training_model(lessons.extend(net))
    compile_by_recipe(model, DATASET, Recipe(), steps=10, supervision=lessons)
    told = np.zeros((BATCH, 1 + taught.shape[1]), "float32")
    batch = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(told)
    return second(lambda: model.train_step(batch))


PATHS = (infer, train, distill_logits, distill_features)


def account(path: Callable[[keras.Model, np.ndarray], dict[str, Device]], net: keras.Model) -> dict[str, dict]:
    """What became of the paths through a net."""
    try:
        devices = path(net, np.zeros((BATCH, SIZE, SIZE, 3), "uint8"))
    except Exception as error:
        return {path.__name__: {"error": f"{type(error).__name__}: {error}"}}
    return {
        name: {"mixed": sorted(device.mixed), "sent": device.sent, "waited": device.waited}
        for name, device in devices.items()
    }


def traffic() -> dict:
    """Kernels and gigabytes of a training step of the contest's net, not compiled: 64 images of 156 px."""
    model = training_model(build_model("mobilenetv3_79", 156))
    compile_by_recipe(model, DATASET, Recipe(), steps=10)
    images, labels = np.zeros((64, 156, 156, 3), "uint8"), np.arange(64) % 6
    batch = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels)
    device = second(lambda: model.train_step(batch))
    return {"kernels": device.kernels, "gigabytes": round(device.bytes / 1e9, 1)}


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
    found = {name: dict(ChainMap(*(account(path, net) for path in PATHS))) for name, net in nets.items()}
    print(json.dumps({"nets": found, "traffic": traffic()}))
