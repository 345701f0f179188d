"""Weights are found by name and address, fetched once, checked, and refused with a sentence."""

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest

from kerastrash.errors import ModelError
from kerastrash.models import parameters, preset_names
from kerastrash.models.pretrained import PRETRAINED, find_pretrained, pretrained_model, pretrained_names
from kerastrash.models.weight_files import Checksum, Download, PackageFile

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file at an address, with an empty folder for what is fetched."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    path = tmp_path / "net-1.pth"
    path.write_bytes(CONTENT)
    return path


def test_every_entry_is_a_net_of_ours_with_its_preprocessing():
    for name, entry in PRETRAINED.items():
        assert entry.name == name and entry.net in preset_names()
        assert parameters(entry.rows(), 1000) > 1e6
        assert entry.licence and entry.source.checksum and entry.input_size >= 224
        assert all(0 < mean < 255 for mean in entry.normalisation.mean)


def test_a_checksum_in_a_file_name_is_the_one_that_is_checked():
    for entry in PRETRAINED.values():
        if str(entry.source).endswith(".pth"):
            assert re.fullmatch("[0-9a-f]{8}|[0-9a-f]{10}", entry.source.checksum.digits)
            assert entry.source.checksum.digits in str(entry.source)


def test_the_documented_table_is_the_registry():
    page = (Path(__file__).parents[3] / "docs" / "pretrained.md").read_text(encoding="utf-8")
    rows = {row[0].strip("`"): row for line in page.splitlines() if len(row := line.strip("| ").split(" | ")) == 7}
    assert set(rows) - {"name"} == set(PRETRAINED)
    for name, entry in PRETRAINED.items():
        _, net, source, licence, images, _, checksum = rows[name]
        assert (net, licence, checksum) == (f"`{entry.net}`", entry.licence, str(entry.source.checksum))
        assert images == f"{entry.input_size}, {entry.interpolation}"
        assert str(entry.source).rsplit("/", 1)[-1] in source
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
        pretrained_model(weights)


def test_a_hub_address_and_a_file_keep_net_and_preprocessing(tmp_path):
    named = find_pretrained("mobilenet_v3_small_timm")
    hub = find_pretrained("hf://timm/mobilenetv3_small_100.lamb_in1k")
    address = "https://huggingface.co/timm/mobilenetv3_small_100.lamb_in1k/resolve/main/model.safetensors"
    assert str(hub.source) == address and hub.source.checksum is None
    file = find_pretrained(f"mobilenet_v3_small_timm={tmp_path / 'a=b.pth'}")
    assert str(file.source) == str(tmp_path / "a=b.pth")
    assert dataclasses.replace(hub, source=named.source) == dataclasses.replace(file, source=named.source) == named
    assert "mobilenet_v3_small_timm" in pretrained_names()


def test_a_file_is_fetched_once(published):
    source = Download(published.as_uri(), Checksum("sha256", SHA256[:8]))
    path = source.fetch()
    assert path.read_bytes() == CONTENT and path.parent.name == "kerastrash"
    published.unlink()
    assert source.fetch() == path
    assert [file.name for file in path.parent.iterdir()] == ["net-1.pth"]


def test_another_file_is_neither_used_nor_kept(published):
    source = Download(published.as_uri(), Checksum("sha256", "0123abcd"))
    with pytest.raises(ModelError, match=f"sha256 begins with {SHA256[:8]}, not 0123abcd"):
        source.fetch()
    assert not list((published.parent / "home" / "kerastrash").iterdir())
    good = Download(published.as_uri(), Checksum("sha256", SHA256))
    path = good.fetch()
    path.write_bytes(b"cut")
    with pytest.raises(ModelError, match=r"net-1\.pth: its sha256 begins .* delete it and run again"):
        good.fetch()


def test_a_file_that_cannot_be_fetched_leaves_nothing(published):
    published.unlink()
    with pytest.raises(ModelError, match=r"net-1\.pth: cannot be fetched .* give NAME=FILE"):
        Download(published.as_uri()).fetch()
    assert not list((published.parent / "home" / "kerastrash").iterdir())


def test_a_missing_package_is_named_with_the_line_that_installs_it():
    source = PackageFile("some-weights", "some_weights_that_are_absent", "net.pth")
    with pytest.raises(ModelError, match=r'some-weights is not installed: run pip install "kerastrash\[pretrained\]"'):
        source.fetch()


def test_a_package_without_its_file_is_to_be_installed_again():
    with pytest.raises(ModelError, match=r"absent\.pth: no such file in the installed package; .* --force-reinstall"):
        PackageFile("kerastrash", "kerastrash", "absent.pth").fetch()
