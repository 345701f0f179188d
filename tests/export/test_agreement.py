"""Two nets' outputs are compared at batch 1 and at a larger one, and judged by the tolerance of the precision."""

import contextlib
from collections.abc import Callable

import numpy as np
import pytest

from kerastrash.errors import ModelError
from kerastrash.export.agreement import BATCH, SINGLES, check_agreement, compare
from kerastrash.export.format import OpenNet

SIZE, CLASSES, COUNT = 4, 3, 50


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (COUNT, SIZE, SIZE, 3)).astype("uint8")


def outputs(images: np.ndarray) -> np.ndarray:
    """Means of the colours about 128: different for every image, the largest about 30."""
    return images.mean(axis=(1, 2)).astype("float32") - 128


def net(run: Callable[[np.ndarray], np.ndarray]) -> OpenNet:
    return OpenNet("a runtime", SIZE, CLASSES, "a processor", run)


@pytest.mark.parametrize(("share", "precision", "passes"), [
    (0, "float32", True), (5e-5, "float32", True), (2e-4, "float32", False),
    (1e-2, "float16", True), (3e-2, "float16", False),
])  # fmt: skip
def test_the_largest_difference_is_judged_relative_to_the_largest_output(images, share, precision, passes):
    expected = outputs(images)
    scale = np.abs(expected).max()
    agreement = compare(net(lambda images: outputs(images) + np.float32(share * scale)), images, expected, precision)
    assert agreement.difference == pytest.approx(share * scale, rel=1e-2)
    assert agreement.relative_difference == pytest.approx(share, rel=1e-2)
    assert (agreement.images, agreement.batches) == (COUNT, (1, BATCH))
    assert (agreement.top1, agreement.untied_top1) == (1, 1)
    assert agreement.ties == (precision == "float16")  # two of an image's outputs are as near as it tolerates
    message = rf"net\.onnx: not kept, .* {share:g} of the largest \(allowed: "
    with contextlib.nullcontext() if passes else pytest.raises(ModelError, match=message):
        check_agreement(agreement, "net.onnx", precision)


def answering(images: np.ndarray, row: tuple[float, ...]) -> OpenNet:
    """The net, but for the fourth image, for which it gives this row."""

    def run(batch: np.ndarray) -> np.ndarray:
        return np.stack([row if (one == images[3]).all() else outputs(one[None])[0] for one in batch])

    return net(run)


def test_another_class_is_refused_however_small_the_difference(images):
    expected = outputs(images)
    expected[3] = (10, 10 - 2e-3, 0)  # apart by 7e-5 of the largest: no tie, yet within the difference
    agreement = compare(answering(images, (10 - 2e-3, 10, 0)), images, expected, "float32")
    assert agreement.relative_difference < 1e-4
    assert agreement.top1 == agreement.untied_top1 == 1 - 1 / COUNT
    with pytest.raises(ModelError, match=rf"98.0% of {COUNT} images that are not tied get the same class"):
        check_agreement(agreement, "net.onnx", "float32")


def test_another_class_is_no_fault_where_two_are_tied(images):
    expected = outputs(images)
    expected[3] = (10, 10, 0)
    agreement = compare(answering(images, (10, 10 + 1e-5, 0)), images, expected, "float32")
    assert (agreement.ties, agreement.top1, agreement.untied_top1) == (1, 1 - 1 / COUNT, 1)
    check_agreement(agreement, "net.onnx", "float32")


def test_all_images_are_compared_in_batches_and_some_one_by_one_where_a_fault_is_found_too(images):
    sizes = []

    def run(images: np.ndarray) -> np.ndarray:
        sizes.append(len(images))
        return outputs(images) + (len(images) == 1)

    assert compare(net(run), images, outputs(images), "float32").difference == pytest.approx(1, rel=1e-3)
    assert sizes == [BATCH, COUNT - BATCH] + [1] * SINGLES


@pytest.mark.parametrize("batch", [1, BATCH])
def test_outputs_that_are_no_numbers_are_refused(images, batch):
    def run(images: np.ndarray) -> np.ndarray:
        answer = outputs(images)
        answer[-1, answer[-1].argmin()] = np.nan if len(images) == batch else answer[-1].min()
        return answer

    agreement = compare(net(run), images, outputs(images), "float16")
    with pytest.raises(ModelError, match=r"differ .* by up to nan"):
        check_agreement(agreement, "net.onnx", "float16")


def test_a_net_of_one_batch_size_and_outputs_of_another_shape_are_named(images):
    def run(images: np.ndarray) -> np.ndarray:
        if len(images) > 1:
            raise RuntimeError("Guard failed: 1 == 32\nmore")
        return outputs(images)

    with pytest.raises(ModelError, match=rf"a runtime cannot run .* batches of {BATCH} \(Guard failed: 1 == 32\)"):
        compare(net(run), images, outputs(images), "float32")
    with pytest.raises(ModelError, match=r"gives outputs \(50, 2\) .* the Keras model \(50, 3\)"):
        compare(net(lambda images: outputs(images)[:, :2]), images, outputs(images), "float32")
