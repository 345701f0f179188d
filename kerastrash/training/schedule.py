"""OneCycle (Smith & Topin 2018, arXiv:1708.07120) as PyTorch's OneCycleLR computes it, momentum included."""

import math

import keras
from keras import ops


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

    def __init__(self, initial: float, peak: float, final: float, total_steps: int, warmup: float = 0.05):
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


def learning_rate_cycle(peak: float, total_steps: int, warmup: float = 0.05) -> OneCycle:
    """The learning rate: from peak / 25 to the peak to peak / 25 / 10,000, PyTorch's defaults."""
    return OneCycle(peak / 25, peak, peak / 25 / 1e4, total_steps, warmup)


def momentum_cycle(low: float, high: float, total_steps: int, warmup: float = 0.05) -> OneCycle:
    """The momentum, which runs against the learning rate: high, low at the peak, high."""
    return OneCycle(high, low, high, total_steps, warmup)
