"""SGD whose learning rate and momentum follow OneCycle, with PyTorch's update rule.

Keras's SGD keeps `v = m v - rate g`, so the rate is stored inside the velocity; PyTorch keeps `v = m v + g` and applies
the rate at the update. The two agree only while the rate is constant, which under OneCycle it never is.
"""

import keras
import numpy as np
from keras import ops

from kerastrash.training.recipe import Recipe
from kerastrash.training.schedule import learning_rate_cycle, momentum_cycle


@keras.saving.register_keras_serializable("kerastrash")
class OneCycleSGD(keras.optimizers.Optimizer):
    """`v = m v + g + decay w; w -= rate v`, rate and m read from their cycles at each optimizer step.

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
        self.momentum = momentum
        self.l2 = l2
        self.rates = rates

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
    """The optimizer of a recipe for a training of `total_steps` steps; `rates` as in `OneCycleSGD`."""
    return OneCycleSGD(
        learning_rate_cycle(recipe.learning_rate, total_steps, recipe.warmup),
        momentum_cycle(recipe.momentum_low, recipe.momentum_high, total_steps, recipe.warmup),
        l2=recipe.weight_decay,
        rates=rates,
    )
