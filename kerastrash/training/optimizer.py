"""SGD whose learning rate and momentum follow OneCycle, with PyTorch's update rule.

Keras's SGD keeps `v = m v - rate g`, so the rate is stored inside the velocity; PyTorch keeps `v = m v + g` and applies
the rate at the update. The two agree only while the rate is constant, which under OneCycle it never is.
"""

import math

import keras
import numpy as np
from keras import ops

from kerastrash.training.recipe import Recipe


def cosine(start: float, end: float, fraction):
    """Cosine interpolation: `start` at fraction 0, `end` at fraction 1."""
    return end + (start - end) / 2 * (1 + ops.cos(math.pi * fraction))


@keras.saving.register_keras_serializable("kerastrash")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """A quantity that goes from `initial` to `peak` during the warm-up and then to `final`, both by cosine.

    Args:
        initial, peak, final: values at step 0, at the end of the warm-up and at the last step.
        total_steps: optimizer steps of the whole training; later steps keep the final value.
        warmup: share of the steps until the peak.
    """

    def __init__(self, initial: float, peak: float, final: float, total_steps: int, warmup: float):
        super().__init__()
        self.initial, self.peak, self.final = initial, peak, final
        self.total_steps, self.warmup = total_steps, warmup

    def __call__(self, step):
        step = ops.cast(step, "float32")
        # PyTorch counts from 0, so the peak is at warmup * total - 1 and the end at total - 1.
        peak_step = max(self.warmup * self.total_steps - 1, 1e-6)
        last_step = max(self.total_steps - 1, peak_step + 1e-6)
        rising = cosine(self.initial, self.peak, ops.minimum(step / peak_step, 1.0))
        falling = cosine(self.peak, self.final, ops.clip((step - peak_step) / (last_step - peak_step), 0.0, 1.0))
        return ops.where(step <= peak_step, rising, falling)

    def get_config(self) -> dict:
        names = ("initial", "peak", "final", "total_steps", "warmup")
        return {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("kerastrash")
class OneCycleSGD(keras.optimizers.Optimizer):
    """`v = m v + g + decay w; w -= rate v`, rate and m read from their cycles at each optimizer step.

    It is the `MomentumSGD` that `kerastrash.backends.training_model` asks for.

    Args:
        learning_rate: a float or schedule.
        momentum: a schedule from the step to the momentum in [0, 1), or a float.
        l2: weight of the L2 penalty, applied to kernels (variables of rank 2 and more) only.
        rates: shares of the learning rate, by the path of the variable; 1 for those not named.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        l2: float = 0.0,
        rates: dict[str, float] | None = None,
        name: str = "one_cycle_sgd",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum, self.l2, self.rates = momentum, l2, rates

    def build(self, variables) -> None:
        """Creates a velocity, initially zero, for each trainable variable, and looks up its share of the rate."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self.shares = [(self.rates or {}).get(variable.path, 1.0) for variable in variables]

    def update_step(self, gradient, variable, learning_rate) -> None:
        momentum = self.momentum(self.iterations) if callable(self.momentum) else self.momentum
        gradient = ops.cast(gradient, variable.dtype)
        if self.l2 and len(variable.shape) > 1:
            gradient = gradient + self.l2 * variable
        number = self._get_variable_index(variable)
        velocity, rate = self.velocities[number], learning_rate * self.shares[number]
        self.assign(velocity, ops.cast(momentum, variable.dtype) * velocity + gradient)
        self.assign_sub(variable, ops.cast(rate, variable.dtype) * velocity)

    def settings_at(self, steps: np.ndarray) -> list[tuple[float, float]]:
        """Rate and momentum of each of these steps (n,), computed at once."""
        values = []
        for quantity in (self._learning_rate, self.momentum):
            quantity = quantity(ops.convert_to_tensor(steps)) if callable(quantity) else quantity
            values.append(np.broadcast_to(ops.convert_to_numpy(quantity), steps.shape).tolist())
        return list(zip(*values, strict=True))

    def get_config(self) -> dict:
        momentum = self.momentum
        if isinstance(momentum, keras.optimizers.schedules.LearningRateSchedule):
            momentum = keras.saving.serialize_keras_object(momentum)
        return {**super().get_config(), "momentum": momentum, "l2": self.l2, "rates": self.rates}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "OneCycleSGD":
        if isinstance(config.get("momentum"), dict):
            config = {**config, "momentum": keras.saving.deserialize_keras_object(config["momentum"])}
        return super().from_config(config, custom_objects)


def recipe_optimizer(recipe: Recipe, total_steps: int, rates: dict[str, float] | None = None) -> OneCycleSGD:
    """The optimizer of a recipe for a training of `total_steps` steps; `rates` as in `OneCycleSGD`.

    The rate goes from peak / 25 to the peak to peak / 25 / 10,000, PyTorch's defaults; the momentum runs against it.
    """
    peak, low, high = recipe.learning_rate, recipe.momentum_low, recipe.momentum_high
    rate = OneCycle(peak / 25, peak, peak / 25 / 1e4, total_steps, recipe.warmup)
    momentum = OneCycle(high, low, high, total_steps, recipe.warmup)
    return OneCycleSGD(rate, momentum, recipe.weight_decay, rates)
