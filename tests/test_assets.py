"""The files that the library needs beside its code: inside the package, and all of them in the wheel."""

import tomllib
from importlib.resources import files
from pathlib import Path

from kerastrash.data.coco import TACO_MAP
from kerastrash.reports.pages import TEMPLATES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(str(files("kerastrash")))


def test_what_the_library_reads_lies_in_its_package():
    assert TACO_MAP == PACKAGE / "assets" / "taco_categories.yaml"
    assert TACO_MAP.is_file()
    assert TEMPLATES == PACKAGE / "assets" / "templates"
    assert TEMPLATES.is_dir()


def test_the_wheel_takes_every_file_of_the_packages():
    package_data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package in ("kerastrash", "tuners"):
        folder = ROOT / package
        taken = {path for pattern in package_data.get(package, ()) for path in folder.glob(pattern)}
        needed = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
        assert needed <= taken
        assert all(path.is_relative_to(PACKAGE / "assets") for path in needed)
