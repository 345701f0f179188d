"""What `prepare.py tfds` prints: what the set holds, what was left out, and how to read it."""

import numpy as np
from PIL import Image


def test_a_set_is_built_once_and_its_table_says_what_was_left_out(script, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(12):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), "uint8")).save(path)
    (tmp_path / "images" / "a" / "0.png").write_bytes(b"no image")
    arguments = ("tfds", "--data", tmp_path / "images", "--name", "small", "--tfds-folder", tmp_path / "tfds")
    status, printed, errors = script("prepare", *arguments)
    assert status == 0, errors
    assert "small: crops by class" in printed
    assert "left out: 1 x is no image: a/0.png\n" in printed
    assert f"--data tfds:small --tfds-folder {tmp_path / 'tfds'}\n" in printed
    assert "built before" not in errors
    status, again, errors = script("prepare", *arguments)
    assert (status, again) == (0, printed)
    assert "small: built before from the same data, stays as it is" in errors
    status, _, errors = script("prepare", *arguments, "--test", "0.3")
    assert status == 2
    assert "was built from other data or split otherwise" in errors
