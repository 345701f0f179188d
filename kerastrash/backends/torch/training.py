"""Trains a stock Keras model at PyTorch's speed: the same layers, variables, losses and files, another train step."""

import ctypes
import gc
import math
import platform

import keras
import torch

from kerastrash.backends.torch.graphs import Recorded, can_be_recorded
from kerastrash.backends.torch.modules import BatchNorm
from kerastrash.backends.torch.program import training_program
from kerastrash.backends.torch.update import FusedSGD, joined_statistics, update_statistics

REDUCTIONS = {"sum_over_batch_size": torch.mean, "mean": torch.mean, "sum": torch.sum}
"""Keras's own reduction sends the batch's size to the device, which waits for it."""
MALLOPT = {-4: 0, -1: -1, -2: 2**28}
"""Numbers in glibc's malloc.h of M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD (bytes by which the heap grows)."""
KEPT_ANYWAY = 2**25
"""Bytes: glibc keeps freed blocks up to this size without being told (mallopt(3), M_MMAP_THRESHOLD)."""

FUSED = {"force_layout_optimization": True, "realize_reads_threshold": 16, "realize_opcount_threshold": 200}
"""Inductor's settings: all maps in channels_last, also around depthwise convolutions, and gradients of norm, activation
and gate computed anew where they are read, which moves less than keeping them in float32."""


class ProgramModel(keras.Model):
    """A functional model whose training and validation steps, on (images, labels), run as a `training_program`.

    Metrics are brought up to date when they are read, at the end of an epoch: a step leaves its loss and output on the
    device and waits for nothing. The loss of an epoch is the mean over the batches whose numbers did not overflow.
    """

    graphs = True
    """Replay a step as a CUDA graph, where there is CUDA."""
    compiled_program = False
    """Compile the program with `torch.compile`."""
    _trainer: "Trainer | None" = None

    def train_step(self, data):
        return self._step(data, True)

    def test_step(self, data):
        return self._step(data, False)

    def _step(self, data, training: bool):
        images, labels = data
        self._trainer = self._trainer or Trainer(self, len(images))
        self._trainer.step(images, labels, training)
        return dict.fromkeys(["loss", *(metric.name for metric in self._compile_metrics.metrics)])

    def reset_metrics(self):
        super().reset_metrics()
        if self._trainer:
            self._trainer.seen = []

    def get_metrics_result(self):
        if self._trainer and self._trainer.seen:
            seen, self._trainer.seen = self._trainer.seen, []
            losses, labels, outputs = zip(*seen, strict=True)
            counts = torch.tensor([len(batch) for batch in labels], dtype=torch.float32, device=losses[0].device)
            losses, counts = self._trainer.without_overflows(torch.stack(losses), counts)
            self._loss_tracker.update_state(losses, sample_weight=counts)
            self._compile_metrics.update_state(torch.cat(labels), torch.cat(outputs))
        return {name: float(value) for name, value in super().get_metrics_result().items()}

    def release(self) -> None:
        """Gives back what training took of the device: the recordings, the gradients, and what is kept for reuse."""
        self._trainer = None
        gc.collect()  # program, graphs and optimizer hold each other
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class Trainer:
    """What a `ProgramModel` trains with, made at its first step."""

    def __init__(self, model: ProgramModel, batch_size: int):
        self.program = training_program(model)
        self.norms = [module for module in self.program.modules() if isinstance(module, BatchNorm) and module.learns]
        self.statistics = joined_statistics(self.norms) if self.norms else None
        self.loss = model.loss
        if not (isinstance(self.loss, keras.losses.Loss) and self.loss.reduction in REDUCTIONS):
            raise TypeError(f"loss={self.loss!r} is no Keras Loss reduced to a mean or a sum: compile with one")
        self.reduce = REDUCTIONS[self.loss.reduction]
        by_memory = {id(parameter.untyped_storage()): parameter for parameter in self.program.parameters()}
        trained = model.trainable_variables
        shared = [by_memory[id(variable.value.untyped_storage())] for variable in trained]
        self.update = FusedSGD(model.optimizer, trained, shared)
        self.device = shared[0].device
        self.seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self.run = torch.compile(self.program, options=FUSED) if model.compiled_program else self.program
        self.work = {True: self._train, False: self._test}
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # shapes do not change: the fastest kernel is worth finding
            if model.graphs and can_be_recorded(self.program, model.name):
                self.work = {training: Recorded(work) for training, work in self.work.items()}
        elif batch_size * largest_map(model) > KEPT_ANYWAY:
            keep_freed_memory()

    def step(self, images, labels, training: bool) -> None:
        """Computes a batch and, in training, updates the weights; its loss and output go to `seen`."""
        images = torch.as_tensor(images).to(self.device, non_blocking=True)
        labels = torch.as_tensor(labels).to(self.device, non_blocking=True)
        if self.program.training != training:
            self.program.train(training)
        if training:
            self.update.begin()
        with torch.set_grad_enabled(training):
            loss, output = self.work[training](images, labels)
        self.seen.append((loss, labels, output))

    def without_overflows(self, losses: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The losses and sizes of batches, those of finite loss alone counted where an overflow changes no weight.

        Where not one is finite all stay, and their mean says so.
        """
        if not (self.update.scaler and self.program.training):
            return losses, counts
        counted = losses.isfinite()
        counted = counted | ~counted.any()
        return losses.where(counted, 0.0), counts * counted

    def _train(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss, output = self._test(images, labels)
        for parameter in self.update.parameters:
            parameter.grad = None
        self.update.scaled(loss).backward()
        self.update.unscale(self.statistics)
        if self.norms:
            update_statistics(self.norms, self.statistics, self.update.overflow)
        self.update()
        return loss.detach(), output.detach()

    def _test(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.run(images)
        dtype = getattr(torch, self.loss.dtype)
        return self.reduce(self.loss.call(labels.to(dtype), output.to(dtype))), output


def largest_map(model: keras.Model) -> int:
    """Bytes of the largest output of a layer for one image, in float32."""
    kept = (layer for layer in model.layers if not isinstance(layer, keras.layers.ZeroPadding2D))  # see `program`
    return max(4 * math.prod(layer.output.shape[1:]) for layer in kept)


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, for its own next use, where glibc can be told so.

    glibc returns each large block to the system as soon as it is freed, and the next one arrives page by page, zeroed:
    for a training step on the processor, whose every activation is such a block, that is a third of its time. The
    process stays as large as it was at its peak.
    """
    if platform.libc_ver()[0] == "glibc":
        for option, value in MALLOPT.items():
            ctypes.CDLL(None).mallopt(option, value)
