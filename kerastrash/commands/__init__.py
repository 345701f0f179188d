"""The verbs of `kerastrash VERB`: help, settings and function of each, imported when it is called."""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verb:
    """A command; settings and function are written `module:name`, the module absolute or from this package."""

    help: str
    function: str
    """Takes the settings, where there are any; a whole number that it returns is the exit status."""
    settings: str | None = None
    """Its dataclass, in a module that imports neither keras nor torch; without a module, in `settings` here."""


def imported(place: str) -> Any:
    """What `module:name` stands for."""
    module, _, name = place.rpartition(":")
    return getattr(importlib.import_module(module or ".settings", __name__), name)


VERBS = {
    "tune": Verb("Search, train and score a classifier.", ".training:tune_net", "tuners.config:TuneConfig"),
    "train": Verb("Train a net, or fine-tune one that has learned before.", ".training:train_net", "TrainConfig"),
    "score": Verb(
        "Score a model: F1, time beside a baseline, the contest's score.",
        ".models:score_file",
        "..scoring.config:ScoreConfig",
    ),
    "prepare": Verb("Decode a data set into the cache and print what it holds.", ".data:prepare_data", "PrepareConfig"),
    "prepare taco": Verb(
        "Fetch TACO's photographs and cut their crops; goes on after a kill.",
        ".data:prepare_taco",
        "..data.config:TacoConfig",
    ),
    "prepare tfds": Verb(
        "Build a TFDS set of the crops, read everywhere as `--data tfds:NAME`.", ".data:prepare_tfds", "TfdsConfig"
    ),
    "check": Verb(
        "Look for leaks, conflicting labels and faults in a data set.", ".data:check_data", "..data.config:CheckConfig"
    ),
    "export": Verb(
        "Export a model to formats that devices run, each file checked.",
        ".models:export_model",
        "..export.formats:ExportConfig",
    ),
    "quantise": Verb(
        "Quantise a model to int8, and say what that costs in accuracy.", ".models:quantise_model", "QuantiseConfig"
    ),
    "prune": Verb("Prune a model by whole channels, to a cost or to a time.", ".models:prune_model", "PruneConfig"),
    "distill": Verb("Train a small net on what larger ones say.", ".training:distill_net", "DistillConfig"),
    "adjust": Verb(
        "Adjust a model to how frequent its classes are; trains nothing.", ".models:adjust_model", "AdjustConfig"
    ),
    "compare": Verb(
        "Compare nets and methods on one data set, over several seeds.",
        ".models:compare_systems",
        "tuners.config:CompareConfig",
    ),
    "benchmark": Verb(
        "Time model files of any format, in turns.", ".models:benchmark_files", "..scoring.config:BenchmarkConfig"
    ),
    "predict": Verb("Classify images by a model file: a line an image.", ".device:predict", "PredictConfig"),
    "version": Verb("Print the version.", ".device:version"),
    "doctor": Verb("Print versions, backends, devices and formats.", ".device:doctor"),
}
"""The words `prepare taco` are a verb below `prepare`."""
