"""The layers of convolution, pooling, flattening and dense rows."""

import keras
from keras import layers

from kerastrash.models.blocks.add_row import add_row
from kerastrash.models.blocks.layers import LAST, activate, convolve, dense_initializer, normalise, pad
from kerastrash.models.rows import Conv, Dense, Flatten, MaxPool, Pool


@add_row.register
def _(row: Conv, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = convolve(x, row.channels, row.kernel, row.stride, f"{name}_conv", row.padding)
    return activate(normalise(x, row.epsilon, f"{name}_bn"), row.activation, f"{name}_activation")


@add_row.register
def _(row: MaxPool, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x, padding = pad(x, row.kernel, row.stride, f"{name}_max_pool", row.padding)
    layer = layers.MaxPooling2D(row.kernel, row.stride, padding, data_format=LAST, name=f"{name}_max_pool")
    return layer(x)


@add_row.register
def _(row: Pool, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.GlobalAveragePooling2D(data_format=LAST, keepdims=row.keep_map, name=f"{name}_pool")(x)


@add_row.register
def _(row: Flatten, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.Flatten(data_format=LAST, name=f"{name}_flatten")(x)


@add_row.register
def _(row: Dense, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.Dense(row.units, kernel_initializer=dense_initializer(), name=f"{name}_dense")(x)
    return activate(x, row.activation, f"{name}_activation")
