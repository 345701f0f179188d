"""The settings of quantising a trained model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kerastrash.compress.trained_model import TrainedModel
from kerastrash.data import DataConfig
from kerastrash.errors import require

QuantisedFormat = Literal["onnx", "openvino"]

Target = Literal["vnni", "x86", "arm"]
"""Processors with 8-bit dot products (x86 with VNNI or AMX), x86 without, ARM."""


@dataclass(frozen=True)
class QuantiseSettings:
    """How a model is quantised, and what it may lose."""

    max_loss: float = 0.02
    """Refuse the int8 file where macro F1 on the validation split falls by more, in absolute terms."""
    force: bool = False
    """Keep the file whatever it loses."""
    calibration_images: int = 300
    """Training images, the classes in equal numbers, that the ranges are taken from."""
    calibration_seed: int = 0
    """Seed of their draw."""
    target: Target = "vnni"
    """Processors the file is for: vnni (x86 with VNNI or AMX), x86 (without, where weights keep 7 bits), arm."""

    def __post_init__(self) -> None:
        require(0 <= self.max_loss <= 1, "max_loss", self.max_loss, "must lie in [0, 1]")
        require(self.calibration_images >= 1, "calibration_images", self.calibration_images, "must be at least 1")
        require(self.calibration_seed >= 0, "calibration_seed", self.calibration_seed, "must not be negative")


@dataclass(frozen=True)
class QuantiseConfig(QuantiseSettings, DataConfig, TrainedModel):
    """Which model is quantised for which runtime, with the data that it was trained on."""

    runtime: QuantisedFormat = "onnx"
    """ONNX Runtime or OpenVINO, each by its own quantisation after training."""
    output: Path | None = None
    """The int8 file; left out, NAME-int8 with the format's suffix in exports/ beside the model."""
