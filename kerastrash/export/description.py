"""What a model file says of itself: the classes' names, what its outputs are. Written into every format as JSON.

The `.keras` archive and the LiteRT file, to whose end a zip archive may be joined, hold it as the member
`kerastrash.json`; ONNX as the metadata property `kerastrash`, OpenVINO as the runtime information of that name,
torch.export among its extra files, a SavedModel in its folder `assets.extra`.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kerastrash.errors import ModelError

KEY = "kerastrash"
"""The name under which the formats hold the description; as a file, `kerastrash.json`."""

Precision = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class Description:
    """Of a net whose images are (batch, size, size, 3), RGB in [0, 255]."""

    classes: tuple[str, ...] | None = None
    """Names of the outputs in their order; None where they are not known."""
    softmax: bool = False
    """Whether the outputs are probabilities; otherwise they are logits."""
    precision: Precision = "float32"
    """Of the weights."""

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes | None, source: Any) -> "Description":
        """Reads what `to_json` wrote; an absent one, None or empty, describes nothing.

        Raises:
            ModelError: the text, found in the file `source`, is no such description.
        """
        if not text:
            return cls()
        try:
            values = json.loads(text)
            classes = values.pop("classes", None)
            return cls(classes=tuple(map(str, classes)) if classes else None, **values)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{source}: its description cannot be read ({error}); export the model again") from error
