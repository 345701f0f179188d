"""The settings of the commands, each the fields that are its own and the nested settings of what it uses."""

from dataclasses import dataclass, field
from pathlib import Path

from kerastrash.compress.config import DistillSettings, PruneSettings, QuantisedFormat, QuantiseSettings
from kerastrash.data.config import DataConfig, unnamed
from kerastrash.errors import ConfigError, require
from kerastrash.runs import InRun
from kerastrash.scoring.config import ClockConfig
from kerastrash.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """Decode a data set into the cache, print what it holds and what was left out."""

    data: DataConfig = field(default_factory=DataConfig)
    """Which data."""
    input_size: int = 96
    """Side of the square crops, in pixels."""


@dataclass(frozen=True, kw_only=True)
class TfdsConfig:
    """Build a TFDS data set (array_record) of the crops, read everywhere as `--data tfds:NAME`."""

    data: DataConfig = field(default_factory=DataConfig)
    """What it is built from, and the folder of the sets."""
    name: str | None = None
    """Name of the set; by default that of the data."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(InRun):
    """The settings of a command that trains a net in a run of its own and scores it."""

    width: float = 1.0
    """Width multiplier of the net, where it is trained from scratch."""
    depth: float = 1.0
    """Depth multiplier of the net, where it is trained from scratch."""
    data: DataConfig = field(default_factory=DataConfig)
    """Which data."""
    recipe: Recipe = field(default_factory=Recipe)
    """How it is trained."""
    clock: ClockConfig = field(default_factory=lambda: ClockConfig(timed_images=200))
    """How the trained net is timed, and beside which baseline."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(TrainingConfig):
    """Train a net by the contest's recipe, or fine-tune one that has learned before, and score it on the test split.

    The same command after a kill goes on from the last epoch.
    """

    net: str | None = None
    """Preset, or .yaml file of rows; left out, mobilenetv3_79, or the net of the weights."""
    weights: str | None = None
    """What is fine-tuned, its net included: a .keras file, a registered name, NAME=FILE, or a hub address."""
    input_size: int | None = None
    """Side of the net's square input in pixels; left out, 156, or that of the weights."""

    def __post_init__(self) -> None:
        if self.weights and self.net:
            raise ConfigError(f"net={self.net} and weights={self.weights}: the weights bring their net; give one")
        if self.net and Path(self.net).suffix == ".keras":
            raise ConfigError(f"net={self.net} has learned: give it as --weights {self.net}")
        if self.weights and (self.width, self.depth) != (1.0, 1.0):
            raise ConfigError(f"width={self.width}, depth={self.depth}: only a net from scratch can be scaled; leave 1")

    @property
    def saved(self) -> Path | None:
        """The .keras file that is fine-tuned; None where it is something else."""
        path = Path(self.weights) if self.weights and "=" not in self.weights else None
        return path if path and path.suffix == ".keras" else None


@dataclass(frozen=True, kw_only=True)
class DistillConfig(TrainingConfig):
    """Train a small net on what larger ones say, and score it on the test split.

    The same command after a kill goes on from the last epoch.
    """

    net: str = "mobilenetv3_79"
    """The student: a preset, or a .yaml file of rows."""
    input_size: int = 96
    """Side of the student's square input in pixels."""
    teacher_weights: tuple[str, ...] = ()
    """Pretrained nets, such as efficientnet_lite0, that are fine-tuned first and teach as well."""
    teacher_size: int | None = None
    """Side of their images in pixels; left out, that of their pretraining."""
    alone: bool = False
    """Also train the same student without a teacher, for the same epochs from the same seed, and compare."""
    data: DataConfig = field(default_factory=unnamed)
    """Which data."""
    distill: DistillSettings = field(default_factory=DistillSettings)
    """What the student learns from its teachers."""
    teacher_recipe: Recipe = field(
        default_factory=lambda: Recipe(epochs=8, batch_size=32, learning_rate=0.02, backbone_rate=0.3)
    )
    """How the pretrained teachers are fine-tuned."""

    def __post_init__(self) -> None:
        if not self.distill.teachers and not self.teacher_weights:
            raise ConfigError(
                "teachers: none is given; name a trained .keras file with --teachers, or pretrained weights with "
                "--teacher-weights efficientnet_lite0"
            )


@dataclass(frozen=True)
class OfModel:
    """The settings of a command that makes another model of a trained one."""

    model: Path
    """The trained model: a .keras file, or the folder of the run that made it."""
    data: DataConfig = field(default_factory=unnamed)
    """The data of its training; left out, that of the run it lies in."""


@dataclass(frozen=True)
class PruneConfig(OfModel, InRun):
    """Prune a trained model by whole channels to a share of its cost or to a time, fine-tuning as it goes.

    The fine-tuning is gentler than the training of a net from scratch. The same command after a kill goes on where it
    stopped.
    """

    prune: PruneSettings = field(default_factory=PruneSettings)
    """How narrow it becomes."""
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=15, learning_rate=0.02))
    """How it is fine-tuned; the epochs are those of all rounds together, in equal shares."""


@dataclass(frozen=True)
class AdjustConfig(OfModel, InRun):
    """Adjust a trained classifier to its classes' frequencies: seconds of work, and no cost on the device.

    The adjustment is chosen by macro F1 on the validation split; nothing is trained.
    """


@dataclass(frozen=True)
class QuantiseConfig(OfModel):
    """Quantise a trained model to int8, and say what that costs in accuracy.

    Exit status 2, and no file, where it loses more macro F1 than allowed.
    """

    runtime: QuantisedFormat = "onnx"
    """ONNX Runtime or OpenVINO, each by its own quantisation after training."""
    output: Path | None = None
    """The int8 file; left out, NAME-int8 with the format's suffix in exports/ beside the model."""
    quantise: QuantiseSettings = field(default_factory=QuantiseSettings)
    """How it is quantised, and what it may lose."""


@dataclass(frozen=True)
class PredictConfig:
    """Classify images by a model file of any format: a line an image, as soon as it is read.

    Exit status 1 where some could not be read, 2 where none could.
    """

    model: Path
    """A .keras, .onnx, .xml (OpenVINO), .tflite or .pt2 file, or the folder of a SavedModel."""
    images: tuple[str, ...] = field(default=(), metadata={"argument": True})
    """Images, or folders of images at any depth."""
    stdin: bool = field(default=False, metadata={"alias": ("-",)})
    """Standard input too: the bytes of one image, or the paths of images, a line each, answered as they come."""
    top: int = 1
    """Print so many of the most probable classes."""
    json: bool = False
    """Print a JSON object a line instead, with the probabilities of all classes."""
    classes: tuple[str, ...] | None = None
    """Names of the model's outputs in their order; left out, those in the file or in MODEL.json beside it."""
    threads: int = 1
    """Processor threads."""

    def __post_init__(self) -> None:
        require(self.top >= 1, "top", self.top, "must be at least 1")
        require(self.threads >= 1, "threads", self.threads, "must be at least 1")
        require(bool(self.images) or self.stdin, "images", self.images, "names no image: give a file, a folder or -")
