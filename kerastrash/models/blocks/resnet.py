"""The layers of ResNet's blocks."""

import keras
from keras import layers

from kerastrash.models.blocks.add_row import add_row
from kerastrash.models.blocks.layers import LAST, activate, convolve, normalise
from kerastrash.models.rows import Residual


@add_row.register
def _(row: Residual, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    shortcut, path = x, row.path()
    for number, (channels, kernel, stride, _) in enumerate(path, 1):
        x = convolve(x, channels, kernel, stride, f"{name}_conv{number}", row.padding)
        x = normalise(x, row.epsilon, f"{name}_conv{number}_bn")
        if number < len(path):
            x = activate(x, "relu", f"{name}_conv{number}_activation")
    if row.projects(shortcut.shape[-1]):
        shortcut = _project(row, shortcut, f"{name}_shortcut")
    return activate(layers.Add(name=f"{name}_add")([x, shortcut]), "relu", f"{name}_activation")


def _project(row: Residual, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    stride = row.stride
    if row.pooled_shortcut and stride > 1:
        # "same" leaves the pixels beyond an odd edge out of the mean, as the reference's ceil_mode does
        x, stride = layers.AveragePooling2D(2, 2, padding="same", data_format=LAST, name=f"{name}_pool")(x), 1
    return normalise(convolve(x, row.channels, 1, stride, f"{name}_conv", row.padding), row.epsilon, f"{name}_bn")
