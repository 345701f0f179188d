"""How closely an exported net gives the outputs of the model it came from, and the report of a file that does."""

from dataclasses import dataclass

import numpy as np

from kerastrash.errors import KerastrashError, ModelError, told
from kerastrash.export.format import Description, OpenNet, Precision


@dataclass(frozen=True)
class Tolerance:
    """What an exported net may deviate."""

    difference: float
    """The largest of any output, relative to the largest output."""
    tie: float
    """Images whose two largest outputs lie closer than this, relative to the largest output, count as tied."""
    agreement: float
    """Least share of the images not tied that must get the same class."""


TOLERANCES: dict[Precision, Tolerance] = {
    "float32": Tolerance(difference=1e-4, tie=1e-5, agreement=1.0),
    "float16": Tolerance(difference=2e-2, tie=5e-3, agreement=0.99),
}
"""Those of every format: runtimes reorder sums (about 1e-6), float16 keeps 11 bits (1e-3). int8 is judged by its F1."""

BATCH, SINGLES = 32, 16
"""All images are compared in batches of the one size, so many of them also one by one."""


@dataclass(frozen=True)
class Agreement:
    """Two nets' outputs side by side."""

    images: int
    batches: tuple[int, ...]
    """The batch sizes compared."""
    top1: float
    """Share of the images that get the same class."""
    ties: int
    """Images that are tied, see `Tolerance.tie`."""
    untied_top1: float
    """`top1` of the others; 1 where all are tied."""
    difference: float
    """The largest difference of any output, at any batch size."""
    relative_difference: float
    """`difference` relative to the largest absolute output."""


@dataclass(frozen=True)
class ExportReport:
    """An exported file, where it comes from, and how it compares."""

    format: str
    file: str
    """Its name; of a SavedModel, the folder's."""
    bytes: int
    """The size on the disk, all parts together."""
    source: str
    """The `.keras` file as it was named."""
    source_sha256: str
    description: Description
    input_size: int
    runtime: str
    agreement: Agreement
    versions: dict[str, str]
    """The packages that wrote and opened it."""
    written: str
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class Attempt:
    """A format: the report of its file, or why there is none."""

    format: str
    outcome: ExportReport | KerastrashError
    seconds: float


def compare(net: OpenNet, images: np.ndarray, expected: np.ndarray, precision: Precision) -> Agreement:
    """Runs an exported net on images, in batches and one by one, and compares its outputs with the model's.

    Args:
        images: uint8 (n, size, size, 3), RGB; n at least 1.
        expected: float32 (n, classes), the model's outputs for them.

    Raises:
        ModelError: the net cannot run a batch of some size, or gives outputs of another shape.
    """
    batch, singles = min(BATCH, len(images)), min(SINGLES, len(images))
    found = _outputs(net, images, batch, expected.shape)
    alone = _outputs(net, images[:singles], 1, (singles, expected.shape[1]))
    scale = float(np.abs(expected).max()) or 1.0
    differences = np.concatenate([found - expected, alone - expected[:singles]])
    difference = float(np.abs(differences).max())  # not a number where one is
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    second, first = np.sort(expected, axis=1)[:, -2:].T
    untied = first - second >= TOLERANCES[precision].tie * scale
    return Agreement(
        images=len(images),
        batches=(1, batch),
        top1=float(same.mean()),
        ties=int((~untied).sum()),
        untied_top1=float(same[untied].mean()) if untied.any() else 1.0,
        difference=difference,
        relative_difference=difference / scale,
    )


def check_agreement(agreement: Agreement, source: object, precision: Precision) -> None:
    """Raises ModelError, with the figures, where an exported net lies outside the tolerance of its precision."""
    allowed = TOLERANCES[precision]
    if agreement.relative_difference <= allowed.difference and agreement.untied_top1 >= allowed.agreement:
        return  # not so for a difference that is no number
    remedy = "choose another format" if precision == "float32" else "choose float32"
    raise ModelError(
        f"{source}: not kept, its outputs differ from the Keras model's by up to {agreement.difference:.3g}, "
        f"{agreement.relative_difference:.3g} of the largest (allowed: {allowed.difference:g}), and "
        f"{agreement.untied_top1:.1%} of {agreement.images - agreement.ties} images that are not tied get the same "
        f"class (needed: {allowed.agreement:.0%}); {remedy}"
    )


def _outputs(net: OpenNet, images: np.ndarray, batch: int, shape: tuple[int, ...]) -> np.ndarray:
    try:
        found = net.in_batches(images, batch)
    except KerastrashError:
        raise
    except Exception as error:  # the runtimes' own exceptions share no base class
        raise ModelError(f"{net.name} cannot run the exported net on batches of {batch} ({told(error)})") from error
    if found.shape != shape:
        raise ModelError(f"{net.name} gives outputs {found.shape} for the exported net, the Keras model {shape}")
    return found
