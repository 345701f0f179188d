"""Trains a stock Keras model at PyTorch's speed: the same layers, variables, losses and files, another train step."""

import math

import keras
import torch
from keras.src.backend.torch.core import get_device

from kerastrash.backends.host_memory import KEPT_ANYWAY, keep_freed_memory
from kerastrash.backends.torch_modules import BatchNorm, update_statistics
from kerastrash.backends.torch_program import training_program
from kerastrash.backends.torch_update import FusedSGD

REDUCTIONS = {"sum_over_batch_size": torch.mean, "mean": torch.mean, "sum": torch.sum}
"""Keras's own reduction sends the batch's size to the device, which waits for it."""


class ProgramModel(keras.Model):
    """A functional model whose training and validation steps run as a `training_program`.

    Metrics are brought up to date when they are read, at the end of an epoch: a step leaves its loss and output on the
    device and waits for nothing.
    """

    graphs = True
    """Replay the forward and backward pass as CUDA graphs, where there is CUDA."""
    _trainer: "Trainer | None" = None

    def train_step(self, data):
        """One step on (images, labels)."""
        return self._step(data, True)

    def test_step(self, data):
        """Loss and output of (images, labels)."""
        return self._step(data, False)

    def _step(self, data, training: bool):
        images, labels = data[:2]
        self._trainer = self._trainer or Trainer(self, len(images))
        self._trainer.step(images, labels, training)
        return dict.fromkeys(["loss", *(metric.name for metric in self._compile_metrics.metrics)])

    def reset_metrics(self):
        """Forgets all steps so far."""
        super().reset_metrics()
        if self._trainer:
            self._trainer.seen = []

    def get_metrics_result(self):
        """Loss and metrics of all steps since the last reset, as numbers."""
        if self._trainer and self._trainer.seen:
            seen, self._trainer.seen = self._trainer.seen, []
            losses, labels, outputs = zip(*seen, strict=True)
            counts = torch.tensor([len(batch) for batch in labels], dtype=torch.float32, device=losses[0].device)
            self._loss_tracker.update_state(torch.stack(losses), sample_weight=counts)
            self._compile_metrics.update_state(torch.cat(labels), torch.cat(outputs))
        return {name: float(value) for name, value in super().get_metrics_result().items()}


class Trainer:
    """What a `ProgramModel` trains with, made at its first step."""

    def __init__(self, model: ProgramModel, batch_size: int):
        self.device = torch.device(get_device())
        self.program = training_program(model)
        norms = (module for module in self.program.modules() if isinstance(module, BatchNorm))
        self.norms = [norm for norm in norms if norm.learns]
        by_memory = {id(parameter.untyped_storage()): parameter for parameter in self.program.parameters()}
        trained = model.trainable_variables
        shared = {id(variable): by_memory[id(variable.value.untyped_storage())] for variable in trained}
        self.update = FusedSGD(model.optimizer, model, shared)
        self.loss, self.reduce = model.loss, REDUCTIONS[model.loss.reduction]
        self.seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self.graphs = model.graphs and self.device.type == "cuda"
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # shapes do not change: the fastest kernel is worth finding
        elif batch_size * largest_map(model) > KEPT_ANYWAY:
            keep_freed_memory()

    def step(self, images, labels, training: bool) -> None:
        """Computes a batch and, in training, updates the weights; its loss and output go to `seen`."""
        images = torch.as_tensor(images).to(self.device, non_blocking=True)
        labels = torch.as_tensor(labels).to(self.device, non_blocking=True)
        self.program.train(training)
        with torch.set_grad_enabled(training):
            if training and self.graphs:
                self._record(images)
            output = self.program(images)
            dtype = getattr(torch, self.loss.dtype)
            loss = self.reduce(self.loss.call(labels.to(dtype), output.to(dtype)))
        if training:
            for parameter in self.update.parameters:
                parameter.grad = None
            self.update.scaled(loss).backward()
            if self.norms:
                update_statistics(self.norms)
            self.update()
        self.seen.append((loss.detach(), labels, output.detach().clone()))

    def _record(self, images: torch.Tensor) -> None:
        """Makes graphs of the forward and the backward pass for images of this shape; once."""
        self.graphs = False
        torch.cuda.make_graphed_callables(self.program, (images.clone(),))
        for norm in self.norms:  # the recording's trial runs left the statistics of their batches
            norm.mean.zero_()
            norm.unbiased.zero_()


def largest_map(model: keras.Model) -> int:
    """Bytes of the largest output of a layer for one image, in float32."""
    kept = (layer for layer in model.layers if not isinstance(layer, keras.layers.ZeroPadding2D))  # see torch_program
    return max(4 * math.prod(layer.output.shape[1:]) for layer in kept)
