"""int8 by two libraries: ONNX Runtime's static quantisation in QDQ form (weights by channel, maps by percentiles), and
NNCF's quantisation after training for OpenVINO; the training images that they look at, and how their files compare.

The libraries are imported where they are used: neither format needs the other's.
"""

import contextlib
import functools
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.special import log_softmax

from kerastrash.compress.config import QuantisedFormat, Target
from kerastrash.console import track
from kerastrash.data import SplitData
from kerastrash.errors import DataError
from kerastrash.export.format import KEY, Description

BATCH = 8
"""Images that run at a time: a quantiser holds all maps of a batch in memory, about 70 MB an image at 156 px."""

PERCENTILES = (99.9, 99.99, 99.999, 100.0)
"""Share of a map's values that its range holds; 100 is min-max. ONNX Runtime's entropy method, whose histogram has as
many bins as int8 has levels, gives the ranges of min-max."""

CONVOLUTIONS = ("Convolution", "GroupConvolution")
LEFT_IN_FLOAT = ("Add", "Subtract", "Multiply", "Divide", "ReduceMean", "AvgPool", "MatMul")
"""NNCF would quantise these too; a convolution's bias is an Add, which OpenVINO folds into it."""

SEVEN_BITS: tuple[Target, ...] = ("x86",)
"""Without VNNI, x86 adds two products of 8-bit numbers in 16 bits, which may overflow: weights keep 7 bits."""
SIGNED_MAPS: tuple[Target, ...] = ("arm",)
"""What `quantize_static` recommends for ARM; signed maps take x86 twice as long."""


def quantise_onnx(
    source: Path, folder: Path, images: np.ndarray, target: Target, description: Description
) -> Iterator[tuple[str, Path]]:
    """Writes one int8 file for each percentile into `folder`, and yields the method's name and the file.

    Args:
        source: the float32 file.
        images: uint8 (n, size, size, 3), for the ranges.
        description: kept in the files.

    Raises:
        ValueError: nothing in the net can be quantised.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quant_pre_process, quantize_static

    prepared = folder / "prepared.onnx"
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    chosen = _all_but_the_first([node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"])
    for percentile, ranges in _collect(prepared, images, folder).items():
        path = folder / f"percentile-{percentile:g}.onnx"
        quantize_static(
            str(prepared),
            str(path),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=chosen,
            per_channel=True,
            reduce_range=target in SEVEN_BITS,
            activation_type=QuantType.QInt8 if target in SIGNED_MAPS else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            calibration_cache_path=ranges,
        )
        net = onnx.load(path)
        onnx.helper.set_model_props(net, {KEY: description.to_json()})
        onnx.save(net, path)
        yield f"percentile {percentile:g}", path


def _all_but_the_first(convolutions: Sequence[str]) -> list[str]:
    """The names of a net's convolutions, in their order, that become int8.

    The first one reads the pixels: three channels, which cost little and on which all else depends. Sums, activations,
    gates and the classifier stay in float as well: see docs/quantisation.md for what they would lose.
    """
    if len(convolutions) < 2:
        raise ValueError(f"it has {len(convolutions)} convolutions, the first of which stays in float")
    return list(convolutions[1:])


def _collect(prepared: Path, images: np.ndarray, folder: Path) -> dict[float, Path]:
    """The maps' ranges at each percentile, in ONNX Runtime's own files, from one pass over the images."""
    from onnxruntime.quantization import CalibrationMethod, create_calibrator, save_tensors_data

    calibrator = create_calibrator(
        prepared, ["Conv"], str(folder / "augmented.onnx"), calibrate_method=CalibrationMethod.Percentile
    )
    name = calibrator.infer_session.get_inputs()[0].name
    for start in track(range(0, len(images), BATCH), "Calibrating", "batches"):
        batch = iter([{name: images[start : start + BATCH].astype("float32")}])
        reader = SimpleNamespace(get_next=functools.partial(next, batch, None))  # of one: it keeps the maps of them all
        with contextlib.redirect_stdout(io.StringIO()):  # a line for every batch
            calibrator.collect_data(reader)
    files = {}
    for percentile in PERCENTILES:
        calibrator.collector.percentile = percentile
        files[percentile] = folder / f"percentile-{percentile:g}.json"
        with contextlib.redirect_stdout(io.StringIO()):
            save_tensors_data(calibrator.compute_data(), files[percentile])
    return files


def quantise_openvino(
    source: Path, folder: Path, images: np.ndarray, target: Target, description: Description
) -> Iterator[tuple[str, Path]]:
    """Writes one int8 file, `.xml` and `.bin`, into `folder`, as `quantise_onnx` does; images correct biases too."""
    import nncf
    import openvino
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    net = openvino.Core().read_model(source)
    names = [node.get_friendly_name() for node in net.get_ordered_ops() if node.get_type_name() in CONVOLUTIONS]
    chosen = _all_but_the_first(names)
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
                overflow_fix=nncf.OverflowFix.ENABLE if target in SEVEN_BITS else nncf.OverflowFix.DISABLE,
                # the ranges of least error; the default, the mean of the images' extremes, is far worse for hard-swish
                activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM,
            ),
        )
    quantised.set_rt_info(description.to_json(), KEY)
    path = folder / "histogram.xml"
    openvino.save_model(quantised, path, compress_to_fp16=False)
    yield "histogram, fast bias correction", path


@dataclass(frozen=True)
class CountedImages:
    """The images one by one, as often as NNCF goes through them, each time with a progress bar."""

    images: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        for image in track(self.images, "Calibrating", "images"):
            yield image[None].astype("float32")


QUANTISERS: dict[QuantisedFormat, tuple[Callable[..., Iterator[tuple[str, Path]]], str]] = {
    "onnx": (quantise_onnx, "onnxruntime.quantization"),
    "openvino": (quantise_openvino, "nncf"),
}
"""What writes the int8 files of each format, and the module that this needs beyond the format's own."""


def draw_calibration(part: SplitData, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws `count` images for the ranges and as many to compare on, none twice; half of the part where it has too few.

    The classes take turns while they last.

    Returns:
        uint8 (n, size, size, 3), RGB, both.

    Raises:
        DataError: the part has fewer than two images.
    """
    count = min(count, len(part) // 2)
    if not count:
        raise DataError(f"{len(part)} training images cannot be divided into two draws; add images")
    order = np.random.default_rng(seed).permutation(len(part))
    turns = np.empty(len(order), "int64")
    for label in np.unique(part.labels):
        members = part.labels[order] == label
        turns[members] = np.arange(members.sum())
    rows = np.asarray(part.indices)[order[np.argsort(turns, kind="stable")][: 2 * count]]
    return np.asarray(part.images[rows[:count]]), np.asarray(part.images[rows[count:]])


def divergence(expected: np.ndarray, found: np.ndarray, softmax: bool) -> float:
    """The mean Kullback-Leibler divergence, in nats, of what one net gives from what another gives; 0 where equal.

    It tells methods apart on a few hundred images, on which F1, a count of flips both ways, is mostly chance.

    Args:
        expected, found: (n, classes), outputs for the same images.
        softmax: whether they are probabilities already; otherwise logits.
    """
    values = np.stack([expected, found]).astype("float64")
    wanted, given = np.log(np.maximum(values, 1e-12)) if softmax else log_softmax(values, axis=-1)
    return float((np.exp(wanted) * (wanted - given)).sum(axis=1).mean())
