"""How the rows of a net pad their maps before a convolution or a window that moves by 2 pixels.

"symmetric" pads alike on all sides by `kernel // 2`, as PyTorch's nets do. "same" is TensorFlow's: as much as the size
of the map asks for, the odd pixel on the right and at the bottom. Both leave a map of `ceil(size / stride)` pixels.
"""

import dataclasses

from kerastrash.models.row import Rows


def with_padding(rows: Rows, padding: str) -> Rows:
    """The rows with this padding, "symmetric" or "same", wherever a row pads.

    Raises:
        ModelError: another padding.
    """
    return tuple(dataclasses.replace(row, padding=padding) if hasattr(row, "padding") else row for row in rows)
