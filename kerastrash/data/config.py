"""Which data to read and how to divide it: the settings every command shares."""

from dataclasses import dataclass
from pathlib import Path

from kerastrash.errors import ConfigError

SMALLEST_SHARE, LARGEST_SHARE = 0.05, 0.5
SMALLEST_INPUT, LARGEST_INPUT = 8, 1024


@dataclass(frozen=True)
class DataConfig:
    """The source of the crops, their cache and their split."""

    data: str = "sample"
    """The word `sample` (600 photographs of TrashNet), a COCO file (.json, or a folder with annotations.json), a
    folder of class folders, or tfds:NAME (a set built by `prepare_data.py tfds`)."""

    images: Path | None = None
    """Image folder of a COCO file; by default the file's own folder, or images/ in it, whichever holds more of them."""

    categories: Path | None = None
    """Category map (YAML) of a COCO file; by default TACO's map for TACO's names, else a class for every category."""

    cache: Path = Path("data/cache")
    """Folder of the decoded crops."""

    tfds_folder: Path = Path("data/tfds")
    """Folder of the TFDS data sets."""

    split_seed: int = 2021
    """Seed of the split, from 0 to 2**32 - 1."""

    validation: float = 0.1
    """Share of the crops for validation, where the source does not fix it: 0.05 to 0.5."""

    test: float = 0.2
    """Share of the crops for the test, where the source does not fix it: 0.05 to 0.5."""


def check_config(config: DataConfig, input_size: int) -> None:
    """Raises ConfigError naming the first setting that is out of range."""
    for name in ("validation", "test"):
        share = getattr(config, name)
        if not SMALLEST_SHARE <= share <= LARGEST_SHARE:
            raise ConfigError(f"{name} is {share}; choose a share between {SMALLEST_SHARE} and {LARGEST_SHARE}")
    if config.validation + config.test > 0.8:
        raise ConfigError(f"validation {config.validation} and test {config.test} leave under 0.2 to train; lower them")
    if not 0 <= config.split_seed < 2**32:
        raise ConfigError(f"split_seed is {config.split_seed}; choose a whole number from 0 to 2**32 - 1")
    if not SMALLEST_INPUT <= input_size <= LARGEST_INPUT:
        raise ConfigError(f"input_size is {input_size}; choose a side between {SMALLEST_INPUT} and {LARGEST_INPUT} px")
