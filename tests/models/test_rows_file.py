"""The YAML form of rows."""

import pytest

from kerastrash.errors import ModelError
from kerastrash.models import Conv, InvertedResidual, Pool, build_model, dump_rows, load_rows, preset, preset_names

SMALL = """\
- conv: {channels: 16, kernel: 3, stride: 2, activation: hard_swish}
- inverted_residual: {kernel: 3, expansion: 2.5, channels: 24, squeeze_excite: true}
- pool
"""


def written(tmp_path, text: str | bytes):
    path = tmp_path / "net.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", preset_names())
def test_rows_written_one_a_line_are_read_back_equal(name, tmp_path):
    text = dump_rows(preset(name))
    assert len(text.splitlines()) == len(preset(name))
    assert load_rows(written(tmp_path, text)) == preset(name)


def test_a_net_is_built_from_a_file_in_which_left_out_fields_keep_their_defaults(tmp_path):
    stem, block, pool = load_rows(written(tmp_path, SMALL))
    assert stem == Conv(16, kernel=3, stride=2, activation="hard_swish")
    assert (block, pool) == (InvertedResidual(3, 2.5, 24, squeeze_excite=True), Pool())
    model = build_model(tmp_path / "net.yaml", 16, classes=2)
    assert (model.name, model.output_shape) == ("net", (None, 2))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "net.yaml: holds no list of rows"),
        ("conv: {channels: 8}", "net.yaml: holds no list of rows"),
        ("- conv: {channels: 8}\n- pool: [", "net.yaml: not valid YAML at line 2"),
        ("- !!python/object/apply:os.getcwd []", "net.yaml: not valid YAML at line 1"),
        ("- pool\n- 7", "net.yaml, row 2: 7 is no row; write `kind: {field: value}`"),
        ("- conv: 16", "net.yaml, row 1: {'conv': 16} is no row"),
        ("- {conv: {channels: 8}, pool: {}}", "net.yaml, row 1: .* is no row"),
        ("- pool\n- konv: {channels: 8}", "row 2: no kind of row is called 'konv'; give one of conv, max_pool"),
        ("- conv: {channels: 8, width: 3}", "row 1: conv has no field 'width'; its fields are channels, kernel, "),
        ("- flatten: {axis: 1}", "row 1: flatten has no field 'axis'; its fields are none"),
        ("- conv: {kernel: 3}", "row 1: conv lacks channels; give a whole number of at least 1"),
        ("- conv: {channels: 8, stride: 4}", "net.yaml, row 1: conv: stride is 4; give 1 or 2"),
        ("- conv: {channels: 8, epsilon: 1e-3}", "epsilon is '1e-3'; give a number above 0, such as 0.001"),
        ("- conv: {channels: 8, activation: [relu]}", r"activation is \['relu'\]; give one of relu"),
        ("- conv: {channels: 8}\n- dense: {units: 8}", "net.yaml, row 2: dense takes a vector"),
        ("- conv: {channels: 8}", "net.yaml, row 1: conv leaves a map"),
        (b"\xff\xfe\x00", r"net\.yaml: (cannot be read|not valid YAML)"),
    ],
)
def test_a_bad_file_is_refused_with_row_field_and_allowed_values(tmp_path, text, sentence):
    with pytest.raises(ModelError, match=sentence):
        load_rows(written(tmp_path, text))
