"""Trains a stock Keras model at PyTorch's speed: the same layers, variables, losses and files, another train step."""

import ctypes
import math
import platform
from collections import defaultdict

import keras
import numpy as np
import torch
from torch import nn

from kerastrash.backends import MomentumSGD
from kerastrash.backends.torch.modules import BatchNorm, laid_out_as, update_statistics
from kerastrash.backends.torch.program import training_program

REDUCTIONS = {"sum_over_batch_size": torch.mean, "mean": torch.mean, "sum": torch.sum}
"""Keras's own reduction sends the batch's size to the device, which waits for it."""
CHUNK = 1024
"""Steps whose rates are read from the schedule at a time, so that the device is asked once in so many."""
MALLOPT = {-4: 0, -1: -1, -2: 2**28}
"""Numbers in glibc's malloc.h of M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD (bytes by which the heap grows)."""
KEPT_ANYWAY = 2**25
"""Bytes: glibc keeps freed blocks up to this size without being told (mallopt(3), M_MMAP_THRESHOLD)."""


class ProgramModel(keras.Model):
    """A functional model whose training and validation steps, on (images, labels), run as a `training_program`.

    Metrics are brought up to date when they are read, at the end of an epoch: a step leaves its loss and output on the
    device and waits for nothing.
    """

    graphs = True
    """Replay the forward and backward pass as CUDA graphs, where there is CUDA."""
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
            self._loss_tracker.update_state(torch.stack(losses), sample_weight=counts)
            self._compile_metrics.update_state(torch.cat(labels), torch.cat(outputs))
        return {name: float(value) for name, value in super().get_metrics_result().items()}


class Trainer:
    """What a `ProgramModel` trains with, made at its first step."""

    def __init__(self, model: ProgramModel, batch_size: int):
        self.program = training_program(model)
        self.norms = [module for module in self.program.modules() if isinstance(module, BatchNorm) and module.learns]
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
    kept = (layer for layer in model.layers if not isinstance(layer, keras.layers.ZeroPadding2D))  # see `program`
    return max(4 * math.prod(layer.output.shape[1:]) for layer in kept)


class FusedSGD:
    """Applies a `MomentumSGD`, alone or in Keras's LossScaleOptimizer, to parameters in its variables' memory.

    The optimizer's own variables hold all of the state: velocities, step and loss scale. The step counts batches: one
    whose gradients overflow in 16 bits changes no weight, yet the schedule goes on, as with PyTorch's OneCycleLR; so no
    step needs to ask the device whether it was applied.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list, parameters: list[nn.Parameter]):
        """`variables` are all that is trained; each shares its memory with the parameter of its index."""
        if not optimizer.built:  # Keras's LossScaleOptimizer would make its variables twice
            optimizer.build(variables)
        self.scaler = optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else None
        self.optimizer = optimizer.inner_optimizer if self.scaler else optimizer
        if not isinstance(self.optimizer, MomentumSGD):
            raise TypeError(f"{type(self.optimizer).__name__} is no MomentumSGD: compile the model with a OneCycleSGD")
        self.parameters = parameters
        self.velocities = [
            laid_out_as(variable.value, velocity).as_strided(parameter.shape, parameter.stride())
            for parameter, variable, velocity in zip(parameters, variables, self.optimizer.velocities, strict=True)
        ]
        self.groups: dict[tuple[float, float], list[int]] = defaultdict(list)
        for number, (parameter, share) in enumerate(zip(parameters, self.optimizer.shares, strict=True)):
            self.groups[self.optimizer.l2 if parameter.ndim > 1 else 0.0, share].append(number)
        self.step = int(self.optimizer.iterations)
        self.overflow = torch.zeros(1, device=parameters[0].device)
        self._rates: dict[int, tuple[float, float]] = {}

    def scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss to differentiate: times the loss scale, where there is one."""
        return loss * self.scaler.dynamic_scale.value.detach() if self.scaler else loss

    @torch.no_grad()
    def __call__(self) -> None:
        """Applies the gradients that lie in the parameters' `grad`."""
        gradients = [parameter.grad for parameter in self.parameters]
        if self.scaler:
            scale = self.scaler.dynamic_scale.value
            self.overflow.zero_()
            torch._amp_foreach_non_finite_check_and_unscale_(gradients, self.overflow, scale.reciprocal())
        if self.step not in self._rates:
            steps = np.arange(self.step, self.step + CHUNK)
            self._rates = dict(zip(steps.tolist(), self.optimizer.settings_at(steps), strict=True))
        rate, momentum = self._rates[self.step]
        for (decay, share), chosen in self.groups.items():
            torch._fused_sgd_(
                [self.parameters[i] for i in chosen],
                [gradients[i] for i in chosen],
                [self.velocities[i] for i in chosen],
                weight_decay=decay,
                momentum=momentum,
                lr=rate * share,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                is_first_step=False,
                found_inf=self.overflow if self.scaler else None,
            )
        if self.scaler:
            growth, steps = self.scaler.step_counter.value, self.scaler.dynamic_growth_steps
            torch._amp_update_scale_(scale, growth, self.overflow, 2.0, 0.5, steps)
        self.optimizer.iterations.value.add_(1)
        self.step += 1


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, for its own next use, where glibc can be told so.

    glibc returns each large block to the system as soon as it is freed, and the next one arrives page by page, zeroed:
    for a training step on the processor, whose every activation is such a block, that is a third of its time. The
    process stays as large as it was at its peak.
    """
    if platform.libc_ver()[0] == "glibc":
        for option, value in MALLOPT.items():
            ctypes.CDLL(None).mallopt(option, value)
