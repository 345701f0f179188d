"""`scripts/train.py` trains a net given as YAML, says what came out, and goes on with the same command."""

import numpy as np
from PIL import Image

from kerastrash.files import read_csv

NET = "- conv: {channels: 8, kernel: 3, stride: 2}\n- pool\n"


def test_a_net_without_python_is_trained_and_resumed(script, tmp_path):
    rng = np.random.default_rng(0)
    for name, light in (("dark", 0), ("light", 150)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 100, (16, 16, 3)) + light
            Image.fromarray(pixels.astype("uint8")).save(tmp_path / "images" / name / f"{number}.png")
    (tmp_path / "net.yaml").write_text(NET)
    arguments = ["--net", tmp_path / "net.yaml", "--input-size", 16, "--data", tmp_path / "images", "--name", "mine"]
    arguments += ["--cache", tmp_path / "cache", "--runs", tmp_path / "runs", "--epochs", 3, "--batch-size", 4]
    for _ in range(2):
        status, out, error = script("train", *arguments)
        assert status == 0, error
        assert "on the test split" in out
    assert len(read_csv(tmp_path / "runs" / "mine" / "metrics.csv")) == 3
    assert (tmp_path / "runs" / "mine" / "best.keras").exists()
    status, _, error = script("train", *arguments, "--epochs", 4)
    assert status == 2
    assert "epochs=3, not 4" in error
