"""All formats: found by name or by file, and opened. Neither keras nor a runtime is imported before it is needed.

An exported file `FILE` has a sidecar, `FILE.json`: what is known of it, and the SHA-256 of all its parts.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kerastrash.data.config import DataConfig, unnamed
from kerastrash.errors import ConfigError, KerastrashError, ModelError, require, told
from kerastrash.export.format import Format, OpenNet, Precision
from kerastrash.export.keras_file import KERAS
from kerastrash.export.litert import LITERT
from kerastrash.export.onnx import ONNX
from kerastrash.export.openvino import OPENVINO
from kerastrash.export.saved_model import SAVED_MODEL
from kerastrash.export.torch_program import TORCH
from kerastrash.files import read_json, sha256, write_json
from kerastrash.settings import to_dict

FORMATS: dict[str, Format] = {entry.name: entry for entry in (KERAS, ONNX, OPENVINO, LITERT, TORCH, SAVED_MODEL)}
FormatName = Literal[*FORMATS]

DIGESTS = "sha256"
"""The member of a sidecar that holds the parts' digests, by what `Format.parts` calls them."""


def format_of(path: Path) -> Format:
    """The format of a file by its suffix, or of a folder that holds a SavedModel.

    Raises:
        ModelError: its suffix belongs to no format, and it is no such folder.
    """
    if (path / "saved_model.pb").is_file():
        return SAVED_MODEL
    suffixes = {entry.suffix: entry for entry in FORMATS.values() if entry.suffix}
    if path.suffix in suffixes:
        return suffixes[path.suffix]
    if not path.exists():
        raise ModelError(f"{path}: no such file; check the path of the model")
    known = ", ".join(suffixes)
    raise ModelError(f"{path}: of no known format; give a file named {known}, or the folder of a SavedModel")


def check_precision(name: FormatName, precision: Precision) -> None:
    """Raises ConfigError where a model alone cannot be written so in the format."""
    if precision == "int8":
        raise ConfigError("precision='int8' needs training images, and is judged by its F1: use `kerastrash quantise`")
    if precision not in FORMATS[name].precisions:
        others = [other.name for other in FORMATS.values() if precision in other.precisions]
        raise ConfigError(f"precision={precision!r} is not for {name}: choose float32, or one of {', '.join(others)}")


def open_runtime(path: Path | str, threads: int = 1, accelerator: str = "") -> OpenNet:
    """Opens a model file in the runtime of its format.

    Open only files from somebody you trust: `.pt2` files and SavedModels hold programs, which may do more than
    compute. The others hold nothing that runs.

    Args:
        path: a file whose suffix says its format, or the folder of a SavedModel.
        threads: of one operation on the processor; operations run one after the other. Keras, torch and TensorFlow
            keep one number for the whole process.
        accelerator: name of the GPU to run on, where the runtime's form for one is installed; left out, exported files
            run on the processor. Keras has a device of its own.

    Returns:
        The net for any number of images, uint8 or float; what the file fixes or wants otherwise is seen to.

    Raises:
        ConfigError: the format's extra is not installed, or the threads cannot be set.
        ModelError: the file is missing, damaged, another than its sidecar was written with, or no classifier of square
            images.
    """
    path = Path(path)
    require(threads >= 1, "threads", threads, "must be at least 1")
    entry = format_of(path)
    if not path.exists():
        raise ModelError(f"{path}: no such file; check the path of the model")
    check_digests(path)
    try:
        net = entry.open(path, threads, *([accelerator] if entry.gpu_package else []))
    except KerastrashError:
        raise
    except ImportError as error:
        raise entry.cannot_import(error) from error
    except Exception as error:  # the runtimes' own exceptions share no base class
        raise ModelError(f"{path}: {entry.runtime} cannot open it ({told(error)}); copy or export it again") from error
    names = net.description.classes
    if names and len(names) != net.classes:
        raise ModelError(f"{path}: names {len(names)} classes but gives {net.classes} outputs; export the model again")
    return net


def sidecar_path(path: Path) -> Path:
    """`FILE.json` beside an exported file or folder."""
    return path.with_name(f"{path.name}.json")


def write_sidecar(report: Any, path: Path) -> None:
    """Writes a report, a dataclass, beside the exported file `path`, with the digests of the file's parts."""
    digests = {name: sha256(part) for name, part in format_of(path).parts(path).items()}
    write_json(sidecar_path(path), {**to_dict(report), DIGESTS: digests})


def read_sidecar(path: Path) -> dict[str, Any]:
    """What the sidecar of the file `path` holds; empty where there is none, or none of ours.

    Raises:
        ModelError: it cannot be read.
    """
    sidecar = sidecar_path(path)
    content = read_json(sidecar, ModelError) if sidecar.is_file() else {}
    return content if isinstance(content, dict) else {}


def sidecar_classes(path: Path) -> list[str] | None:
    """The `classes` of a sidecar: an export keeps them in its description, one written by hand at the top."""
    content = read_sidecar(path)
    for described in (content.get("description"), content):
        if isinstance(described, dict) and isinstance(described.get("classes"), list):
            return described["classes"]
    return None


def check_digests(path: Path) -> None:
    """Raises ModelError where a model file is another than its sidecar was written with; without digests all is well.

    A part that is missing is for the runtime to name.
    """
    kept = read_sidecar(path).get(DIGESTS)
    for name, part in format_of(path).parts(path).items() if kept else ():
        if part.is_file() and sha256(part) != (kept.get(name) if isinstance(kept, dict) else None):
            sidecar = sidecar_path(path)
            raise ModelError(
                f"{part}: was damaged or replaced, its SHA-256 is another than {sidecar.name} holds; copy or export it "
                f"again, or delete {sidecar} if the change was meant"
            )


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
