"""The settings of distillation."""

from dataclasses import dataclass, field
from pathlib import Path

from kerastrash.data import DataConfig
from kerastrash.errors import ConfigError, require
from kerastrash.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class DistilSettings:
    """What a student learns from its teachers, besides the labels."""

    teachers: tuple[Path, ...] = ()
    """Trained .keras files for the same classes, of any input size; several are averaged."""
    temperature: float = 4.0
    """Divides the logits of teacher and student before their softmax is compared."""
    hard_share: float = 0.1
    """Weight of the recipe's loss on the labels; the rest is that of the teacher's logits."""
    features: float = 0.0
    """Weight of the teachers' last features, which a dense layer makes of the student's while it trains; 0: none."""
    views: int = 8
    """Augmented views of each crop that the teachers see, once; 0: a fresh one every epoch, seen when it is needed."""

    def __post_init__(self) -> None:
        require(self.temperature > 0, "temperature", self.temperature, "must be above 0")
        require(0 <= self.hard_share <= 1, "hard_share", self.hard_share, "must lie in [0, 1]")
        require(self.features >= 0, "features", self.features, "must not be negative")
        require(self.views >= 0, "views", self.views, "must not be negative")


def teacher_recipe() -> Recipe:
    """How a pretrained teacher is fine-tuned unless the settings say otherwise."""
    return Recipe(epochs=8, batch_size=32, learning_rate=0.02, backbone_rate=0.3)


@dataclass(frozen=True, kw_only=True)
class DistilConfig(DistilSettings, Recipe, DataConfig):
    """A student, its teachers, one recipe, one data set."""

    net: str = "mobilenetv3_79"
    """The student: a preset, or a .yaml file of rows."""
    input_size: int = 96
    """Side of the student's square input in pixels."""
    width: float = 1.0
    """Width multiplier of the student."""
    depth: float = 1.0
    """Depth multiplier of the student."""
    teacher_weights: tuple[str, ...] = ()
    """Pretrained nets, such as efficientnet_lite0, that are fine-tuned first and teach as well."""
    teacher_size: int | None = None
    """Side of their images in pixels; left out, that of their pretraining."""
    teacher_recipe: Recipe = field(default_factory=teacher_recipe)
    """How they are fine-tuned."""
    alone: bool = False
    """Also train the same student without a teacher, for the same epochs from the same seed, and compare."""
    name: str | None = None
    """Name of the run's folder; left out, `distil-` and that of the net."""
    runs: Path = Path("runs")
    """Folder of all runs."""

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
        DistilSettings.__post_init__(self)
        if not self.teachers and not self.teacher_weights:
            raise ConfigError(
                "teachers: none is given; name a trained .keras file with --teachers, or pretrained weights with "
                "--teacher_weights efficientnet_lite0"
            )

    @property
    def folder(self) -> Path:
        """runs/NAME."""
        return self.runs / (self.name or f"distil-{Path(self.net).stem}")
