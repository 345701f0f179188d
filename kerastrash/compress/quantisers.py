"""int8 by two libraries: ONNX Runtime's static quantisation in QDQ form (weights by channel, maps by percentiles), and
NNCF's quantisation after training for OpenVINO."""

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nncf
import numpy as np
import onnx
import openvino
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    create_calibrator,
    quantize_static,
)
from onnxruntime.quantization.calibrate import save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

from kerastrash.compress.calibration import BATCH, Int8File, convolutions_to_quantise
from kerastrash.compress.config import Target
from kerastrash.console import track
from kerastrash.export.format import KEY, Description

PERCENTILES = (99.9, 99.99, 99.999, 100.0)
"""Share of a map's values that its range holds; 100 is min-max. ONNX Runtime's entropy method, whose histogram has as
many bins as int8 has levels, gives the ranges of min-max."""

TYPES: dict[Target, tuple[QuantType, bool]] = {
    "vnni": (QuantType.QUInt8, False),
    "x86": (QuantType.QUInt8, True),
    "arm": (QuantType.QInt8, False),
}
"""Type of the maps, and whether weights keep 7 bits: what `quantize_static` recommends for each kind of processor.
Without VNNI, x86 adds two products of 8-bit numbers in 16 bits, which may overflow. Signed maps take x86 twice
as long."""


def quantise_onnx(
    source: Path, folder: Path, images: np.ndarray, target: Target, description: Description
) -> Iterator[Int8File]:
    """Writes one int8 file for each percentile into `folder`.

    Args:
        source: the float32 file.
        images: uint8 (n, size, size, 3), for the ranges.
        description: kept in the files.

    Raises:
        ValueError: nothing in the net can be quantised.
    """
    prepared = folder / "prepared.onnx"
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    names = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
    chosen = list(convolutions_to_quantise(names))
    ranges = _collect(prepared, images, folder)
    activations, seven_bits = TYPES[target]
    for percentile in PERCENTILES:
        path = folder / f"percentile-{percentile:g}.onnx"
        quantize_static(
            str(prepared),
            str(path),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=chosen,
            per_channel=True,
            reduce_range=seven_bits,
            activation_type=activations,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            calibration_cache_path=ranges[percentile],
        )
        _describe(path, description)
        yield Int8File(f"percentile {percentile:g}", path)


class OneBatch(CalibrationDataReader):
    """Hands a calibrator one batch, so that it holds the maps of no more."""

    def __init__(self, name: str, images: np.ndarray):
        self._batches = iter([{name: images.astype("float32")}])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The batch; None the second time."""
        return next(self._batches, None)


def _collect(prepared: Path, images: np.ndarray, folder: Path) -> dict[float, Path]:
    """The maps' ranges at each percentile, in ONNX Runtime's own files, from one pass over the images."""
    calibrator = create_calibrator(
        prepared, ["Conv"], str(folder / "augmented.onnx"), calibrate_method=CalibrationMethod.Percentile
    )
    name = calibrator.infer_session.get_inputs()[0].name
    for start in track(range(0, len(images), BATCH), "Calibrating", "batches"):
        with contextlib.redirect_stdout(io.StringIO()):  # a line for every batch
            calibrator.collect_data(OneBatch(name, images[start : start + BATCH]))
    files = {}
    for percentile in PERCENTILES:
        calibrator.collector.percentile = percentile
        files[percentile] = folder / f"percentile-{percentile:g}.json"
        with contextlib.redirect_stdout(io.StringIO()):
            save_tensors_data(calibrator.compute_data(), files[percentile])
    return files


def _describe(path: Path, description: Description) -> None:
    net = onnx.load(path)
    onnx.helper.set_model_props(net, {KEY: description.to_json()})
    onnx.save(net, path)


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
