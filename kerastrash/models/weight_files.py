"""Files of weights: sources, whose `fetch` gives a path (an installed package, an address, this disk); what is in them.

What reads a file is imported then: Keras on another backend needs none of it.
"""

import contextlib
import hashlib
import importlib.util
import os
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from kerastrash.errors import ModelError
from kerastrash.files import atomic_path

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""The names under which training scripts keep the state within a checkpoint."""


@dataclass(frozen=True)
class Checksum:
    """The leading hexadecimal digits of a file's digest: PyTorch's file names carry the first eight or ten."""

    algorithm: Literal["sha256", "md5"]
    digits: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digits[:8]}"


def _check(path: Path, checksum: Checksum | None, remedy: str) -> None:
    """Raises ModelError, naming both digests and ending with the remedy, where the file is another."""
    if checksum is None:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, checksum.algorithm).hexdigest()
    if not found.startswith(checksum.digits):
        raise ModelError(
            f"{path}: its {checksum.algorithm} begins with {found[: len(checksum.digits)]}, not {checksum.digits}, "
            f"so it is damaged or another file; {remedy}"
        )


@dataclass(frozen=True)
class PackageFile:
    """A file inside the wheel of a PyPI package, found without running the package's code."""

    distribution: str
    module: str
    file: str
    checksum: Checksum | None = None

    def fetch(self) -> Path:
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(f'{self.distribution} is not installed: run pip install "kerastrash[pretrained]"')
        path = Path(spec.submodule_search_locations[0]) / self.file
        remedy = f"run pip install --force-reinstall --no-deps {self.distribution}"
        if not path.is_file():
            raise ModelError(f"{path}: no such file in the installed package; {remedy}")
        _check(path, self.checksum, remedy)
        return path

    def __str__(self) -> str:
        return f"PyPI {self.distribution}"


@dataclass(frozen=True)
class Download:
    """A file at an address, kept under `~/.keras/kerastrash` (or `$KERAS_HOME/kerastrash`) once it was fetched."""

    address: str
    checksum: Checksum | None = None
    name: str = ""
    """Name of the file kept; left out, the last part of the address."""

    def fetch(self) -> Path:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        path = home / "kerastrash" / (self.name or self.address.rsplit("/", 1)[-1])
        if path.is_file():
            _check(path, self.checksum, "delete it and run again")
            return path
        with atomic_path(path) as temporary:
            self._download(temporary)
            _check(temporary, self.checksum, f"fetch {self.address} again")
        return path

    def _download(self, path: Path) -> None:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # Keras draws its progress where results go
                keras.utils.get_file(path.name, self.address, cache_subdir=str(path.parent), force_download=True)
        except Exception as error:  # Keras raises bare exceptions here, and each means that the file cannot be had
            raise ModelError(
                f"{self.address}: cannot be fetched ({error}); fetch it elsewhere and give NAME=FILE as the weights"
            ) from error

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True)
class LocalFile:
    """A file that the user has: whatever it holds was checked by whoever gave it."""

    path: Path
    checksum: None = None

    def fetch(self) -> Path:
        if not self.path.is_file():
            raise ModelError(f"{self.path}: no such file of weights; check the path behind the =")
        return self.path

    def __str__(self) -> str:
        return str(self.path)


WeightSource = PackageFile | Download | LocalFile
"""What `fetch` gives the path of, fetched if need be and checked where its checksum is known; raises ModelError, which
says what to do, where it cannot be had or is another file. `str` of one names it in tables and messages."""


def hub_file(repository: str) -> Download:
    """The weights of a Hugging Face repository `OWNER/NAME`; the hub publishes no digest that could be stored here."""
    return Download(
        f"https://huggingface.co/{repository}/resolve/main/model.safetensors",
        name=f"{repository.replace('/', '--')}.safetensors",
    )


def read_torch_state(path: Path | str) -> dict[str, np.ndarray]:
    """Reads the tensors of a `.pt` or `.pth` file (`weights_only=True`, in their order) or a `.safetensors` file.

    Raises:
        ModelError: no such file, another suffix, a damaged file, pickled code, or a package that is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in (".pt", ".pth"):
        return _read_torch(path)
    raise ModelError(f"{path}: {path.suffix or 'no suffix'} is no suffix of weights; give .pt, .pth or .safetensors")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError:
        raise ModelError(f"{path}: needs the safetensors package; pip install kerastrash[safetensors]") from None
    try:
        return dict(sorted(load_file(path).items()))
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: not a safetensors file of floats ({error}); export the weights again") from error


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    """The `state_dict`, or the one inside a checkpoint, as float32 arrays in their order; runs no pickled code."""
    try:
        import torch
    except ImportError:
        raise ModelError(f"{path}: reading it needs PyTorch; pip install torch") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{path}: not a plain file of tensors ({reason}); save it again with torch.save(net.state_dict(), path)"
        ) from error
    state = _unwrapped(state)
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path}: holds no state_dict; save one with torch.save(net.state_dict(), path)")
    return {key: value.detach().float().numpy() for key, value in state.items()}


def _unwrapped(state: object) -> object:
    """The state within a checkpoint, or what was given."""
    if isinstance(state, Mapping):
        for name in WRAPPERS:
            if isinstance(state.get(name), Mapping):
                return state[name]
    return state
