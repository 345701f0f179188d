"""What is known of one set of pretrained weights."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from kerastrash.models.normalisation import IMAGENET, Normalisation
from kerastrash.models.padding import with_padding
from kerastrash.models.pretrained.sources import Source
from kerastrash.models.resolve import preset
from kerastrash.models.row import Rows

Application = Literal["MobileNetV3Small", "MobileNetV3Large"]
"""A builder in keras.applications."""


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Weights of a preset for the 1000 ImageNet classes, with all that their use needs."""

    name: str
    net: str
    """The preset whose layers the weights fill."""
    source: Source
    licence: str
    """SPDX identifier, as the publisher states it of the file, or of the code that made it."""
    normalisation: Normalisation = IMAGENET
    """Of RGB in [0, 255]; part of the net, so that images enter as they are."""
    input_size: int = 224
    """Side in pixels of the images of the training."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """With which the images were resized."""
    hub: str | None = None
    """`OWNER/NAME` of the same weights at Hugging Face, for the address `hf://OWNER/NAME`."""
    padding: Literal["symmetric", "same"] | None = None
    """Where it is not the preset's own."""
    epsilon: float | None = None
    """Of the batch norms, where it is not the preset's own."""
    application: Application | None = None
    """Whose file this is; left out, it is a PyTorch state dict."""

    def rows(self) -> Rows:
        """The rows of the net, as the weights were trained in them."""
        rows = preset(self.net)
        if self.padding:
            rows = with_padding(rows, self.padding)
        if self.epsilon:
            rows = tuple(
                dataclasses.replace(row, epsilon=self.epsilon) if hasattr(row, "epsilon") else row for row in rows
            )
        return rows
