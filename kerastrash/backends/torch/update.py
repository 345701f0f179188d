"""The update of all weights and of all moving statistics, which reads nothing from the device and sends it nothing."""

from collections import defaultdict

import keras
import numpy as np
import torch
from torch import nn

from kerastrash.backends import MomentumSGD
from kerastrash.backends.torch.modules import BatchNorm, laid_out_as

CHUNK = 1024
"""Steps whose rates are computed at a time."""


class FusedSGD:
    """Applies a `MomentumSGD`, alone or in Keras's LossScaleOptimizer, to parameters in its variables' memory.

    The optimizer's own variables hold all of the state: velocities, step and loss scale. The step counts batches: one
    whose numbers overflow in 16 bits changes no weight, yet the schedule goes on, as with PyTorch's OneCycleLR; so no
    step needs to ask the device whether it was applied. Away from the processor rate and momentum are read there too,
    at the place that the step counts, so that an update is the same sequence of kernels at every step.
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
        device = parameters[0].device
        self.overflow = torch.zeros(1, device=device) if self.scaler else None
        """Above 0 where the last batch's numbers overflowed; None where nothing is scaled."""
        self.schedule: np.ndarray | None = None
        self.table = None if device.type == "cpu" else torch.zeros(CHUNK, 2, device=device)
        """Rate and momentum of the steps of a chunk, on the device."""

    def scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss to differentiate: times the loss scale, where there is one."""
        return loss * self.scaler.dynamic_scale.value.detach() if self.scaler else loss

    def begin(self) -> None:
        """Begins a step: once in so many, computes and sends what the schedule says of the next ones."""
        if self.schedule is None or self.step % CHUNK == 0:
            first = self.step - self.step % CHUNK
            settings = self.optimizer.settings_at(np.arange(first, first + CHUNK))
            self.schedule = np.array(settings, "float64")
            if self.table is not None:
                self.table.copy_(torch.from_numpy(self.schedule.astype("float32")))
        self.step += 1

    @torch.no_grad()
    def unscale(self, statistics: torch.Tensor | None) -> None:
        """Takes the loss scale out of the gradients, and finds whether they or the batch's statistics overflowed."""
        if self.scaler:
            scale = self.scaler.dynamic_scale.value
            gradients = [parameter.grad for parameter in self.parameters]
            self.overflow.zero_()
            torch._amp_foreach_non_finite_check_and_unscale_(gradients, self.overflow, scale.reciprocal())
            if statistics is not None:
                torch._amp_foreach_non_finite_check_and_unscale_([statistics], self.overflow, torch.ones_like(scale))

    @torch.no_grad()
    def __call__(self) -> None:
        """Applies the gradients that lie in the parameters' `grad`."""
        rate, momentum = self._rate_and_momentum()
        if self.table is not None or not momentum:
            # The kernel takes the momentum as a number, which a recording would keep, and none of 0.
            kept = momentum if self.overflow is None else momentum + self.overflow[0] * (1 - momentum)
            torch._foreach_mul_(self.velocities, kept)
            momentum = 1.0
        gradients = [parameter.grad for parameter in self.parameters]
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
                found_inf=self.overflow,
            )
        if self.scaler:
            scale, growth = self.scaler.dynamic_scale.value, self.scaler.step_counter.value
            torch._amp_update_scale_(scale, growth, self.overflow, 2.0, 0.5, self.scaler.dynamic_growth_steps)
        self.optimizer.iterations.value.add_(1)

    def _rate_and_momentum(self) -> tuple[float, float] | tuple[torch.Tensor, torch.Tensor]:
        if self.table is None:
            return tuple(self.schedule[(self.step - 1) % CHUNK].tolist())
        place = self.optimizer.iterations.value.remainder(CHUNK).reshape(1)
        return self.table.index_select(0, place)[0].unbind()


@torch.no_grad()
def update_statistics(norms: list[BatchNorm], batch: torch.Tensor, overflow: torch.Tensor | None) -> None:
    """Moves the statistics of these batch norms towards the last batch's, as Keras does: by the biased variance.

    Args:
        norms: those that learn, at least one.
        batch: the memory of their `mean` and `unbiased`, see `joined_statistics`.
        overflow: float32 (1,); where it is 1 the batch's statistics are worth nothing, and nothing moves.
    """
    if overflow is not None:
        batch.nan_to_num_(0.0, 0.0, 0.0)
    for kept in {norm.kept for norm in norms}:
        group = [norm for norm in norms if norm.kept == kept]
        biased = torch._foreach_mul([norm.unbiased for norm in group], [1 - 1 / norm.count for norm in group])
        pairs = (("moving_mean", [norm.mean for norm in group]), ("moving_variance", biased))
        for name, new in pairs:
            moving = [getattr(norm, name) for norm in group]
            if overflow is None:
                torch._foreach_lerp_(moving, new, 1 - kept)
            else:
                ways = torch._foreach_sub(new, moving)
                torch._foreach_mul_(ways, (1 - overflow[0]) * (1 - kept))
                torch._foreach_add_(moving, ways)
    batch.zero_()  # the kernel adds 0 times what it finds there, which an overflow would make NaN for good


def joined_statistics(norms: list[BatchNorm]) -> torch.Tensor:
    """One piece of memory, float32, for the batch's statistics of all these norms, at least one."""
    sizes = [len(statistic) for norm in norms for statistic in (norm.mean, norm.unbiased)]
    batch = torch.zeros(sum(sizes), device=norms[0].mean.device)
    parts = iter(batch.split(sizes))
    for norm in norms:
        norm.mean, norm.unbiased = next(parts), next(parts)
    return batch
