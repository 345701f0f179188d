"""The settings of exporting a model."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kerastrash.data.config import DataConfig, unnamed
from kerastrash.errors import require
from kerastrash.export.format import Precision
from kerastrash.export.formats import FormatName


@dataclass(frozen=True)
class ExportConfig:
    """Export a saved model to the formats that devices run, each file compared with the model on real images.

    Exit status 1 where a format failed.
    """

    model: Path
    """The saved model, a .keras file."""
    formats: tuple[FormatName, ...] | None = None
    """Such as `onnx litert`; left out, all that have the precision and whose packages are installed."""
    precision: Precision = "float32"
    """Precision of the weights: float16 for onnx, openvino and litert; for int8, see `kerastrash quantise`."""
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
    data: DataConfig = field(default_factory=unnamed)
    """The data whose images are compared."""

    def __post_init__(self) -> None:
        require(self.images_compared >= 1, "images_compared", self.images_compared, "must be at least 1")
        formats = self.formats
        require(formats is None or len(formats) > 0, "formats", formats, "names none: leave it out to write all")
