"""The settings of exporting a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.data import DataConfig
from kerastrash.errors import require
from kerastrash.export.format import Precision
from kerastrash.export.formats import FormatName


@dataclass(frozen=True)
class ExportedModel:
    """The first field of the settings below: without a default, so that the command line takes it first."""

    model: Path
    """The saved model, a .keras file."""


@dataclass(frozen=True)
class ExportConfig(DataConfig, ExportedModel):
    """Which model is exported, to what, and on which images the files are compared with it."""

    formats: tuple[FormatName, ...] | None = None
    """Such as `onnx litert`; left out, all that have the precision and whose packages are installed."""
    precision: Precision = "float32"
    """Of the weights: float16 for onnx, openvino and litert; for int8, see scripts/quantise.py."""
    softmax: bool = False
    """Put a softmax into the net: it then gives probabilities instead of logits."""
    classes: tuple[str, ...] | None = None
    """Names of the outputs in their order, such as `Metal Paper`; left out, those that the model file holds."""
    part: Literal["train", "val", "test"] = "test"
    """The part of the data whose images are compared."""
    images_compared: int = 200
    """Images, spread evenly over the part; all of it where it has fewer."""
    output: Path | None = None
    """Folder of the files; left out, exports/ beside the model."""

    def __post_init__(self) -> None:
        require(self.images_compared >= 1, "images_compared", self.images_compared, "must be at least 1")
        formats = self.formats
        require(formats is None or len(formats) > 0, "formats", formats, "names none: leave it out to write all")
