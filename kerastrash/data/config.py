"""The settings of data: what is read and how it is divided, checked and fetched."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kerastrash.errors import ConfigError, require
from kerastrash.files import read_yaml
from kerastrash.runs import CONFIG, run_of
from kerastrash.settings import field_types, from_dict

SMALLEST_INPUT, LARGEST_INPUT = 8, 1024


@dataclass(frozen=True)
class DataConfig:
    """The source of the crops, their cache and their split."""

    data: str | None = "sample"
    """The word `sample` (600 photographs of TrashNet), a COCO file (.json, or a folder with annotations.json), a
    folder of class folders, or tfds:NAME (a set built by `prepare tfds`). Left out, a command on a model takes data and
    split of the run that the model lies in."""
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


def unnamed() -> DataConfig:
    """The settings of data that a command on a model begins with: those of the model's run are meant."""
    return DataConfig(data=None)


def data_of_run(model: Path, given: DataConfig) -> DataConfig:
    """The settings of data as given; without any data named, those of the run that the model lies in.

    A share or seed of the split that is given all the same takes the place of the run's.

    Raises:
        ConfigError: no data is named, and the model lies in no run that knows its data.
    """
    if given.data is not None:
        return given
    folder = run_of(model)
    values = read_yaml(folder / CONFIG, ConfigError) if folder else {}
    values = values.get("data") if isinstance(values.get("data"), dict) else values  # a comparison's run holds no more
    known = {name: values[name] for name in field_types(DataConfig) if name in values}
    if known.get("data") is None:
        raise ConfigError(f"{model}: no run that knows its data holds this model; name the data with --data")
    return laid_over(from_dict(DataConfig, known, folder / CONFIG), given)


def laid_over(below: DataConfig, given: DataConfig) -> DataConfig:
    """The settings of data with what is given of others, which are `unnamed` but for that."""
    return replace(below, **{name: value for name, value in vars(given).items() if value != getattr(unnamed(), name)})


def check_config(config: DataConfig, input_size: int) -> None:
    """Raises ConfigError naming the first setting that is out of range, or that no data is named."""
    if config.data is None:
        raise ConfigError("no data is named; name it with --data, such as --data DIR")
    shares, seed = {"validation": config.validation, "test": config.test}, config.split_seed
    for name, share in shares.items():
        require(0.05 <= share <= 0.5, name, share, "must be a share from 0.05 to 0.5")
    require(sum(shares.values()) <= 0.8, "validation and test", shares, "leave under 0.2 to train; lower them")
    require(0 <= seed < 2**32, "split_seed", seed, "must be a whole number from 0 to 2**32 - 1")
    sides = f"must be a side from {SMALLEST_INPUT} to {LARGEST_INPUT} px"
    require(SMALLEST_INPUT <= input_size <= LARGEST_INPUT, "input_size", input_size, sides)


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """Check a data set; write a page; exit with 1 when a leak or a conflicting label is found.

    Raises:
        ConfigError: `near` is out of its range.
    """

    data: DataConfig = field(default_factory=unnamed)
    """Which data."""
    input_size: int = 96
    """Side of the square crops in the cache and in the contact sheets, in pixels."""
    near: int = 6
    """Bits, of 64, in which the perceptual hashes of near-duplicates may differ: 0 to 16."""
    strict: bool = False
    """Near-duplicates under two labels or in two splits make the exit status 1 too."""
    report: Path | None = None
    """The page; by default check-NAME.html in this folder."""
    json: Path | None = None
    """Also write everything found, nothing shortened, as JSON to this file."""

    def __post_init__(self) -> None:
        require(0 <= self.near <= 16, "near", self.near, "must be a number of bits from 0 to 16")


@dataclass(frozen=True)
class FetchConfig:
    """How patiently, how fast and from where files are fetched."""

    connections: int = 8
    """Photographs fetched at once, 1 to 64."""
    timeout: float = 30.0
    """Seconds to wait for a connection, for all of the headers, and for the next bytes of a body."""
    retries: int = 5
    """How often a photograph is asked for again after 408, 429, a 5xx, a lost connection, a stall or a short body."""
    backoff: float = 0.5
    """The first retry follows at once; seconds before each later one are this times 2, 4, 8..., and some by chance."""
    longest_wait: float = 60.0
    """Seconds that a single wait may take, whatever the server's Retry-After says."""
    deadline: float = 900.0
    """Seconds that one photograph may take, its retries and waits included."""
    redirect_hosts: tuple[str, ...] = ("staticflickr.com", "flickr.com", "githubusercontent.com")
    """Hosts, subdomains included, to which an address of another host may be redirected."""

    def __post_init__(self) -> None:
        require(1 <= self.connections <= 64, "connections", self.connections, "must be from 1 to 64")
        require(0 <= self.retries <= 100, "retries", self.retries, "must be from 0 to 100")
        for name in ("timeout", "longest_wait", "deadline"):
            value = getattr(self, name)
            require(0 < value <= 86_400, name, value, "must be seconds above 0, at most a day")
        require(0 <= self.backoff <= 3600, "backoff", self.backoff, "must be seconds from 0 to 3600")


PUBLISHED = "https://raw.githubusercontent.com/pedropro/TACO/master/data"


@dataclass(frozen=True, kw_only=True)
class TacoConfig:
    """Fetch TACO and cut its crops; the same command goes on after a kill."""

    which: Literal["official", "unofficial", "both"] = "official"
    """The reviewed annotations, those submitted by the public and not reviewed, or both."""
    annotations: str = f"{PUBLISHED}/annotations.json"
    """The official annotation file, or its address."""
    unofficial_annotations: str = f"{PUBLISHED}/annotations_unofficial.json"
    """The unofficial annotation file, or its address."""
    folder: Path = Path("data/taco")
    """The folder of the photographs; then `--data data/taco` is the whole set."""
    categories: Path | None = None
    """Category map (YAML); by default TACO's."""
    cache: Path = Path("data/cache")
    """Folder of the decoded crops."""
    input_size: int = 96
    """Side of the square crops, in pixels."""
    fetch: FetchConfig = field(default_factory=FetchConfig)
    """How the photographs are fetched."""
