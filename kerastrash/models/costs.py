"""What a net costs, from its rows alone: a search can refuse a net before it builds it."""

from collections.abc import Iterator

from kerastrash.errors import ModelError
from kerastrash.models.base import Row, Rows, is_whole, runs

IMAGE_CHANNELS = 3


def steps(rows: Rows) -> Iterator[tuple[Row, int, int]]:
    """Walks the rows with the channels that enter and leave each; those that leave the last enter the classifier.

    Raises:
        ModelError: no rows, what is no row, a row that cannot follow its predecessor, or no vector at the end.
    """
    if not isinstance(rows, list | tuple) or not rows:
        raise ModelError(f"rows: {rows!r} is no tuple of rows; give a net's rows, such as preset('mobilenetv3_79')")
    channels, is_map = IMAGE_CHANNELS, True
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Row):
            raise ModelError(f"row {number}: {row!r} is no row; give Conv, InvertedResidual or another kind of row")
        if row.takes_map != is_map:
            remedy = "put a pool or flatten row before it" if is_map else "move it before the pool or flatten row"
            raise ModelError(f"row {number}: {row.kind} takes a {'vector' if is_map else 'map'}; {remedy}")
        try:
            leaving = row.output_channels(channels)
        except ModelError as error:
            raise ModelError(f"row {number}: {error}") from None
        yield row, channels, leaving
        channels, is_map = leaving, row.gives_map
    if is_map:
        raise ModelError(f"row {len(rows)}: {rows[-1].kind} leaves a map before the classifier; end with a pool row")


def check_classes(classes: int) -> None:
    """Raises ModelError when `classes` is no whole number of at least 1."""
    if not is_whole(classes) or classes < 1:
        raise ModelError(f"classes is {classes!r}; give a whole number of at least 1")


def parameters(rows: Rows, classes: int = 6) -> int:
    """Trainable parameters, classifier included, as PyTorch counts them: no batch-norm statistics.

    Raises:
        ModelError: rows that cannot follow each other, or a bad number of classes.
    """
    check_classes(classes)
    walked = list(steps(rows))
    held = sum(row.costs(channels, size=2)[0] for row, channels, _ in walked)  # alike at every size that can shrink
    return held + (walked[-1][-1] + 1) * classes


def macs(rows: Rows, input_size: int, classes: int = 6) -> int:
    """Multiply-accumulates of one square image of `input_size` pixels: convolutions and dense layers, as papers count.

    Raises:
        ModelError: rows that cannot follow each other or shrink a map below one pixel, or a bad size or classes.
    """
    check_classes(classes)
    sizes, walked = map_sizes(rows, input_size), list(steps(rows))
    spent = sum(row.costs(channels, size)[1] for (row, channels, _), size in zip(walked, sizes, strict=False))
    return spent + walked[-1][-1] * classes


def map_sizes(rows: Rows, input_size: int) -> tuple[int, ...]:
    """The side in pixels of the image, then of the map that leaves each row (1 for a vector).

    Raises:
        ModelError: a bad input size, or a row that would shrink a map below one pixel.
    """
    if not is_whole(input_size) or input_size < 1:
        raise ModelError(f"input_size is {input_size!r}; give the side of the image in pixels, at least 1")
    sizes = [input_size]
    for number, (row, _, _) in enumerate(steps(rows), 1):
        try:
            sizes.append(row.output_size(sizes[-1]))
        except ModelError as error:
            raise ModelError(f"row {number} at input size {input_size}: {error}") from None
    return tuple(sizes)


def layers(rows: Rows) -> int:
    """Layers as the contest report counts them: modules of the PyTorch implementation that the rows reproduce.

    What stands around the rows, such as the net itself and the containers of its stages, is counted as the first block
    has it.

    Raises:
        ModelError: rows that cannot follow each other.
    """
    counted = sum(row.modules(channels) for row, channels, _ in steps(rows))
    first = next((row for row in rows if row.repeats), rows[0])
    return counted + first.net_modules + first.stage_modules * sum(run[0].repeats for run in runs(rows))
