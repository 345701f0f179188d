"""The contest's published rows and the two constants that reproduce them.

Source: the reports of two teams of a model-compression contest of December 2021. Times were measured on a V100 with the
contest's own test set, which is not public: they compare with each other, not with times measured here.
"""

from dataclasses import dataclass

BASELINE_F1 = 0.7
BASELINE_TIME = 43.17
"""Seconds; with 0.7 it gives back all nine scores within 0.002, and all but the first within 0.0005."""

MEASURED_ON = "a V100 with the contest's own test set"


@dataclass(frozen=True)
class PublishedRow:
    """One row of the reports; `input_size` in pixels and `epochs` are None where the report does not give them."""

    name: str
    net: str
    input_size: int | None
    epochs: int | None
    score: float
    f1: float
    time: float
    """Seconds for the contest's test set at batch 1."""

    def cells(self) -> list[str]:
        """The row under PUBLISHED_COLUMNS, empty where the report gives nothing."""
        settings = ["" if value is None else str(value) for value in (self.input_size, self.epochs)]
        return [self.name, self.net, *settings, *(f"{value:.4f}" for value in (self.score, self.f1, self.time))]


PUBLISHED_COLUMNS = ("row", "net", "input", "epochs", "score", "F1", "time s")


PUBLISHED_ROWS = (
    PublishedRow("1", "mobilenetv3_179", 224, 100, 1.5460, 0.6880, 84.9850),
    PublishedRow("2", "mobilenetv3_163", 224, 100, 1.7950, 0.6530, 92.9260),
    PublishedRow("3", "mobilenetv3_79", 156, 100, 1.2950, 0.6870, 63.0780),
    PublishedRow("4", "mobilenetv3_79", 156, 150, 1.1732, 0.7005, 58.3412),
    PublishedRow("5", "mobilenetv3_79", 156, 200, 1.1676, 0.7012, 58.1225),
    PublishedRow("private of 5", "mobilenetv3_79", 156, 200, 1.1804, 0.6986, 58.1225),
    PublishedRow("target", "none", None, None, 1.1950, 0.7000, 60.0000),
    PublishedRow("second team, public", "resnet18d, pretrained", None, None, 0.9875, 0.7478, 61.2576),
    PublishedRow("second team, private", "resnet18d, pretrained", None, None, 0.9710, 0.7520, 61.2576),
)
