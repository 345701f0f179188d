"""Saves a model as a `.keras` file for inference, and opens one as what it is: input from somebody else.

The archive is checked before Keras reads it: whole, and naming nothing but Keras's own layers. Keras's safe mode stays
on as the second line (CVE-2025-1550 and later ones were ways round it through a class path in the config).
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from kerastrash.errors import ModelError, told
from kerastrash.files import atomic_path

CONFIG = "config.json"
CONFIG_LIMIT = 64 * 2**20  # bytes: the largest net here needs a few hundred kilobytes; a bomb declares gigabytes

# The member in which a zip archive, a `.keras` file or one joined to a model file's end, says what the net gives.
DESCRIPTION = "kerastrash.json"
DESCRIPTION_LIMIT = 2**20  # bytes: room for thousands of classes

# What reading a damaged zip archive raises.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)

MODULES = ("layers", "models", "ops", "activations", "initializers", "regularizers", "constraints", "dtype_policies")
"""The packages of Keras that a net is made of; `keras.saving`, `keras.utils` and the like are tools, not layers."""

CODE_CARRIERS = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
"""Keras's own layers whose config holds or points to code."""

VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__")
"""Plain values that Keras writes under a class name without a module."""


def save_model(model: keras.Model, path: Path | str, classes: Sequence[str] | None = None) -> None:
    """Saves a model without its optimizer, atomically, so that stock Keras opens the file on every backend.

    Args:
        classes: names of the outputs in their order, kept in the file; stock Keras passes over them.

    Raises:
        ModelError: there are not as many names as outputs.
        FileError: the file cannot be written.
    """
    if classes is not None and len(classes) != model.output_shape[-1]:
        raise ModelError(f"{path}: {len(classes)} class names for {model.output_shape[-1]} outputs; give one for each")
    with atomic_path(path) as temporary:
        keras.Model(model.input, model.output, name=model.name).save(temporary)
        if classes is not None:
            add_description(temporary, json.dumps({"classes": list(classes)}, ensure_ascii=False))


def add_description(path: Path, text: str) -> None:
    """Adds the description to a zip archive; joins an archive that holds it to the end of any other file."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(DESCRIPTION, text)


def read_description(path: Path | str) -> str | None:
    """The JSON text that a file holds in `kerastrash.json`; None where the file is no archive or has none.

    Raises:
        ModelError: the description is damaged, or far longer than any.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if DESCRIPTION not in archive.namelist():
                return None
            if archive.getinfo(DESCRIPTION).file_size > DESCRIPTION_LIMIT:
                raise ModelError(f"{path}: its {DESCRIPTION} is above {DESCRIPTION_LIMIT} bytes; save the model again")
            return archive.read(DESCRIPTION).decode()
    except UNREADABLE as error:
        raise ModelError(f"{path}: its {DESCRIPTION} cannot be read ({error}); save the model again") from error


def open_model(path: Path | str) -> keras.Model:
    """Opens a saved model for inference on the active backend, without its optimizer.

    Args:
        path: a `.keras` file of stock Keras layers, from any backend.

    Raises:
        ModelError: the file is missing, no `.keras` archive, damaged, or names a class that is not Keras's own or that
            carries code.
    """
    path = Path(path)
    foreign = sorted(set(_foreign_names(_read_config(path))))
    if foreign:
        raise ModelError(
            f"{path}: holds {', '.join(foreign)}, which would run code from outside Keras's own layers; "
            "save the net again from stock Keras layers only"
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras and h5py raise nearly everything here, and each means that the file is bad
        raise ModelError(
            f"{path}: Keras {keras.__version__} cannot open it ({told(error)}); save the model again"
        ) from error


def image_size(model: keras.Model) -> int:
    """The side in pixels of the square RGB images that a model takes.

    Raises:
        ModelError: its input is not (batch, size, size, 3) with a fixed size, or its output is not (batch, classes).
    """
    shape, output = model.input_shape, model.output_shape
    if not (isinstance(shape, tuple) and len(shape) == 4 and shape[1] and shape[1] == shape[2] and shape[3] == 3):
        raise ModelError(f"the model's input is {shape}: give a model that takes (batch, size, size, 3), size fixed")
    if not (isinstance(output, tuple) and len(output) == 2 and output[1]):
        raise ModelError(f"the model's output is {output}: give a classifier that returns (batch, classes)")
    return shape[1]


def _read_config(path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise ModelError(f"{path}: a folder; give the .keras file itself")
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path of the model")
    if path.suffix != ".keras":
        raise ModelError(f"{path}: not named .keras; give a model saved with model.save('NAME.keras')")
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(CONFIG).file_size > CONFIG_LIMIT:
                raise ModelError(f"{path}: its {CONFIG} is above {CONFIG_LIMIT} bytes, more than any net needs")
            config = json.loads(archive.read(CONFIG))
            damaged = archive.testzip()
    except KeyError:
        raise ModelError(f"{path}: an archive without {CONFIG}, so no Keras model; give a .keras file") from None
    except UNREADABLE as error:
        raise ModelError(f"{path}: not a .keras archive, or damaged ({error}); copy or save it again") from error
    if damaged:
        raise ModelError(f"{path}: {damaged} inside it is damaged; copy or save the file again")
    if not isinstance(config, dict):
        raise ModelError(f"{path}: its {CONFIG} describes no model; give a .keras file")
    return {key: value for key, value in config.items() if key != "compile_config"}  # never read with compile=False


def _foreign_names(value: Any) -> Iterator[str]:
    """Names each class or function in a config, at any depth, that is not a harmless one of Keras's own."""
    if isinstance(value, dict):
        if "class_name" in value and not _is_stock(value):
            name = value.get("config") if value["class_name"] == "function" else value["class_name"]
            yield ".".join(str(part) for part in (value.get("module"), name) if part)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _foreign_names(item)


def _is_stock(entry: dict[str, Any]) -> bool:
    name, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if not isinstance(name, str) or name in CODE_CARRIERS:
        return False
    if name.startswith("__"):  # Keras's marks for what is no class; `__lambda__` is code, `__typespec__` TensorFlow's
        return name in VALUES
    if not isinstance(module, str):
        return False
    if name == "function" and module == "builtins":  # how Keras writes its own activations and initializers
        return ">" not in str(entry.get("config"))
    if registered not in (None, name, entry.get("config")):  # a registered name wins over the module when Keras loads
        return False
    parts = module.removeprefix("keras.src.").removeprefix("keras.").split(".")
    return module == "keras" or (module.startswith("keras.") and parts[0] in MODULES)
