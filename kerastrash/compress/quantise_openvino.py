"""int8 for OpenVINO: NNCF's quantisation after training."""

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nncf
import numpy as np
import openvino
from nncf.quantization.range_estimator import RangeEstimatorParametersSet

from kerastrash.compress.calibration import Int8File, convolutions_to_quantise
from kerastrash.compress.config import Target
from kerastrash.console import track
from kerastrash.export.format import KEY, Description

CONVOLUTIONS = ("Convolution", "GroupConvolution")
LEFT_IN_FLOAT = ("Add", "Subtract", "Multiply", "Divide", "ReduceMean", "AvgPool", "MatMul")
"""NNCF would quantise these too; a convolution's bias is an Add, which OpenVINO folds into it."""

OVERFLOW: dict[Target, nncf.OverflowFix] = {
    "vnni": nncf.OverflowFix.DISABLE,
    "x86": nncf.OverflowFix.ENABLE,
    "arm": nncf.OverflowFix.DISABLE,
}
"""7 bits for the weights, for x86 processors whose sums of 16 bits overflow with 8."""


def quantise_openvino(
    source: Path, folder: Path, images: np.ndarray, target: Target, description: Description
) -> Iterator[Int8File]:
    """Writes an int8 file, `.xml` and `.bin`, into `folder`.

    Args:
        source: the float32 file.
        images: uint8 (n, size, size, 3), for the ranges and for the correction of the biases.
        description: kept in the file.

    Raises:
        ValueError: nothing in the net can be quantised.
    """
    net = openvino.Core().read_model(source)
    names = [node.get_friendly_name() for node in net.get_ordered_ops() if node.get_type_name() in CONVOLUTIONS]
    chosen = convolutions_to_quantise(names)
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # its own progress bars
        quantised = nncf.quantize(
            net,
            nncf.Dataset(CountedImages(images)),
            preset=nncf.QuantizationPreset.MIXED,  # symmetric weights, asymmetric maps: not all activations are ReLU
            subset_size=len(images),
            fast_bias_correction=True,
            ignored_scope=nncf.IgnoredScope(
                names=[name for name in names if name not in chosen], types=list(LEFT_IN_FLOAT), validate=False
            ),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=OVERFLOW[target],
                # the ranges of least error; the default, the mean of the images' extremes, is far worse for hard-swish
                activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM,
            ),
        )
    quantised.set_rt_info(description.to_json(), KEY)
    path = folder / "histogram.xml"
    openvino.save_model(quantised, path, compress_to_fp16=False)
    yield Int8File("histogram, fast bias correction", path)


@dataclass(frozen=True)
class CountedImages:
    """The images one by one, as often as NNCF goes through them, each time with a progress bar."""

    images: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        for image in track(self.images, "Calibrating", "images"):
            yield image[None].astype("float32")

    def __len__(self) -> int:
        return len(self.images)
