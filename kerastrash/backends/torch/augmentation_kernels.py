"""The kernels of `augmentation`: they resample a batch, make tables of values, and change it by these or by blending.

A program takes a tile of one image, as values (BLOCK, 4): three channels, and a fourth for the luma. Whole numbers are
int32 between reading and storing.
"""

import triton
import triton.language as tl

TABLE, LUMA, SMOOTH, AUTOCONTRAST, EQUALIZE, MEAN = (tl.constexpr(number) for number in range(6))
"""What a step does with the values of an image; from AutoContrast on it needs the histograms."""
MATRIX, SQUARE, SCALE, OFFSET, HEAD = (tl.constexpr(word) for word in (0, 6, 10, 13, 16))
"""Words (four bytes) at which a record's fields begin; behind its head are kinds, strengths and tables of all steps."""
STEP = tl.constexpr(66)
"""Words of a record for each step."""


@triton.jit(do_not_specialize=["done", "steps"])
def resample(
    resident, rows, words, out, counts, height, width, done, steps,
    BLOCK: tl.constexpr, LAST: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """Reads each pixel at its point of the image: bilinear, the border repeated by half a pixel, grey beyond."""
    image, pixel, channel, there = _tile(height, width, BLOCK)
    record = words + image * (HEAD + STEP * steps)
    across, down = (pixel % width).to(tl.float32) + 0.5, (pixel // width).to(tl.float32) + 0.5
    x = _number(record + MATRIX) * across + _number(record + MATRIX + 1) * down + _number(record + MATRIX + 2)
    y = _number(record + MATRIX + 3) * across + _number(record + MATRIX + 4) * down + _number(record + MATRIX + 5)
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    x, y = tl.minimum(tl.maximum(x, 0.0), width - 1.0), tl.minimum(tl.maximum(y, 0.0), height - 1.0)
    left, top = x.to(tl.int32), y.to(tl.int32)
    right, bottom = tl.minimum(left + 1, width - 1), tl.minimum(top + 1, height - 1)
    x_share, y_share = x - left, y - top
    source = resident + tl.load(rows + image).to(tl.int64) * (3 * height * width) + channel
    upper = _between(source, top * width + left, top * width + right, x_share, there)
    lower = _between(source, bottom * width + left, bottom * width + right, x_share, there)
    values = (upper + (lower - upper) * y_share[:, None]).to(tl.int32)
    values = tl.where(inside[:, None], values, 128)
    _finish(values, image, pixel, channel, there, record, out, counts, height, width, done, steps, LAST, WHOLE)


@triton.jit
def _between(source, first, second, share, there):
    """float32 (BLOCK, 4): from the values of some pixels on towards those of others."""
    near = tl.load(source + 3 * first[:, None], there, 0).to(tl.float32)
    far = tl.load(source + 3 * second[:, None], there, 0).to(tl.float32)
    return near + (far - near) * share[:, None]


@triton.jit(do_not_specialize=["step", "steps"])
def tabulate(words, records, counts, tables, pixels, step, steps):
    """Makes the table by which a step changes a channel: the record's, or what follows from the histograms."""
    image, channel = tl.program_id(0).to(tl.int64), tl.program_id(1)
    start = image * (HEAD + STEP * steps) + HEAD
    value = tl.arange(0, 256)
    kind = tl.load(words + start + step)
    table = tl.load(records + 4 * (start + 2 * steps) + 256 * step + value).to(tl.int32)
    if kind >= AUTOCONTRAST:
        counts += 1024 * image
        if kind == MEAN:
            luma = tl.sum(tl.load(counts + 768 + value) * value, axis=0)
            table = _blend((2 * luma + pixels) // (2 * pixels), value, _number(words + start + steps + step))
        else:
            count = tl.load(counts + 256 * channel + value)
            if kind == EQUALIZE:
                below = tl.cumsum(count, axis=0) - count
                each = tl.max(tl.where(count > 0, below, 0), axis=0) // 255
                table = tl.where(each > 0, tl.minimum((each // 2 + below) // tl.maximum(each, 1), 255), value)
            else:
                low = tl.min(tl.where(count > 0, value, 255), axis=0)
                spread = tl.max(tl.where(count > 0, value, 0), axis=0) - low
                table = tl.where(spread > 0, (value - low) * 255 // tl.maximum(spread, 1), value)
    tl.store(tables + 768 * image + 256 * channel + value, table.to(tl.uint8))


@triton.jit(do_not_specialize=["done", "steps"])
def change(
    images, tables, words, out, counts, height, width, done, steps,
    BLOCK: tl.constexpr, LAST: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """Applies a step: looks values up in the tables, or blends them with their luma or their smoothed picture."""
    image, pixel, channel, there = _tile(height, width, BLOCK)
    record = words + image * (HEAD + STEP * steps)
    kind, strength = tl.load(record + HEAD + done - 1), _number(record + HEAD + steps + done - 1)
    source = images + image * (3 * height * width) + 3 * pixel[:, None] + channel
    values = tl.load(source, there, 0).to(tl.int32)
    if kind == LUMA:
        values = _blend(_luma(values, channel), values, strength)
    elif kind == SMOOTH:
        x, y = (pixel % width)[:, None], (pixel // width)[:, None]
        inner = there & (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
        total = 4 * values
        for row in tl.static_range(-1, 2):
            for column in tl.static_range(-1, 2):
                total += tl.load(source + 3 * (row * width + column), inner, 0).to(tl.int32)
        values = _blend(tl.where(inner, (2 * total + 13) // 26, values), values, strength)
    else:
        values = tl.load(tables + 768 * image + 256 * channel + values, there, 0).to(tl.int32)
    _finish(values, image, pixel, channel, there, record, out, counts, height, width, done, steps, LAST, WHOLE)


@triton.jit
def _tile(height, width, BLOCK: tl.constexpr):
    """The image, pixels (BLOCK,) and channels (1, 4) of a program; and which of its values (BLOCK, 4) are there."""
    pixel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.arange(0, 4)[None, :]
    return tl.program_id(0).to(tl.int64), pixel, channel, (pixel < height * width)[:, None] & (channel < 3)


@triton.jit
def _finish(
    values, image, pixel, channel, there, record, out, counts, height, width, done, steps,
    LAST: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """Stores whole values; counts them where the next step needs histograms, covers Cutout's square after the last."""
    if LAST:
        x, y = (pixel % width)[:, None], (pixel // width)[:, None]
        top, left = tl.load(record + SQUARE), tl.load(record + SQUARE + 1)
        bottom, right = tl.load(record + SQUARE + 2), tl.load(record + SQUARE + 3)
        values = tl.where((y >= top) & (y < bottom) & (x >= left) & (x < right), 128, values)
    elif tl.load(record + HEAD + done) >= AUTOCONTRAST:
        four = 256 * channel + tl.where(channel < 3, values, _luma(values, channel))
        within = tl.broadcast_to((pixel < height * width)[:, None], four.shape)
        seen = tl.histogram(tl.ravel(four), 1024, mask=tl.ravel(within))
        tl.atomic_add(counts + 1024 * image + tl.arange(0, 1024), seen, mask=seen > 0, sem="relaxed")
    out += image * (3 * height * width) + 3 * pixel[:, None] + channel
    if WHOLE:
        tl.store(out, values.to(tl.uint8), there)
    else:
        scale, offset = _number(record + SCALE + channel, channel < 3), _number(record + OFFSET + channel, channel < 3)
        tl.store(out, (scale * values + offset).to(out.dtype.element_ty), there)


@triton.jit
def _number(word, mask=None):
    """Words of a record as float32."""
    return tl.load(word, mask).to(tl.float32, bitcast=True)


@triton.jit
def _luma(values, channel):
    """int32 (BLOCK, 1): ITU-R 601-2 in 65,536ths, as in Pillow."""
    weights = tl.where(channel == 0, 19595, tl.where(channel == 1, 38470, tl.where(channel == 2, 7471, 0)))
    return (tl.sum(values * weights, axis=1, keep_dims=True) + 32768) >> 16


@triton.jit
def _blend(degenerate, values, factor):
    """Goes from the degenerate image at factor 0 through the image at 1 and beyond, the fraction dropped."""
    blended = degenerate.to(tl.float32) + factor * (values - degenerate).to(tl.float32)
    return tl.minimum(tl.maximum(blended, 0.0), 255.0).to(tl.int32)
