"""One optimizer step for all parameters in a few fused kernels, loss scaling included, never waiting for the device."""

from collections import defaultdict

import keras
import numpy as np
import torch

CHUNK = 1024
"""Steps whose rates are read from the schedule at a time, so that the device is asked once in so many."""


class FusedSGD:
    """Applies a `OneCycleSGD`, alone or in Keras's LossScaleOptimizer, to parameters in its variables' memory.

    The optimizer's own variables hold all of the state: velocities, step and loss scale. The step counts batches: one
    whose gradients overflow in 16 bits changes no weight, yet the schedule goes on, as with PyTorch's OneCycleLR; so no
    step needs to ask the device whether it was applied.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, model: keras.Model, parameters: dict):
        """`parameters` are by the identity of the trainable variable whose memory they share."""
        if not optimizer.built:  # Keras's LossScaleOptimizer would make its variables twice
            optimizer.build(model.trainable_variables)
        self.scaler = optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else None
        self.optimizer = optimizer.inner_optimizer if self.scaler else optimizer
        self.parameters = [parameters[id(variable)] for variable in model.trainable_variables]
        self.velocities = [
            laid_out_as(variable.value, velocity).as_strided(parameter.shape, parameter.stride())
            for parameter, variable, velocity in zip(
                self.parameters, model.trainable_variables, self.optimizer.velocities, strict=True
            )
        ]
        self.groups: dict[tuple[float, float], list[int]] = defaultdict(list)
        for number, (parameter, share) in enumerate(zip(self.parameters, self.optimizer.shares, strict=True)):
            self.groups[self.optimizer.l2 if parameter.ndim > 1 else 0.0, share].append(number)
        self.step = int(self.optimizer.iterations)
        self.overflow = torch.zeros(1, device=self.parameters[0].device)
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
        rate, momentum = self._settings()
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

    def _settings(self) -> tuple[float, float]:
        if self.step not in self._rates:
            steps = np.arange(self.step, self.step + CHUNK)
            self._rates = dict(zip(steps.tolist(), self.optimizer.settings_at(steps), strict=True))
        return self._rates[self.step]


def laid_out_as(value: torch.Tensor, state: keras.Variable) -> torch.Tensor:
    """The memory of a variable, put in the order of another tensor of its shape; Keras sees no change."""
    state.value.data = torch.empty_strided(value.shape, value.stride(), device=value.device).copy_(state.value.detach())
    return state.value.detach()
