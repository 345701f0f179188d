"""The verbs of `kerastrash VERB`: help, settings and function of each, imported when it is called."""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verb:
    """A command; settings and function are written `module:name`."""

    help: str
    function: str
    """Takes the settings, where there are any; a whole number that it returns is the exit status."""
    settings: str | None = None
    """Its dataclass, in a module that imports neither keras nor torch."""


def imported(place: str) -> Any:
    """What `module:name` stands for."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


VERBS = {
    "tune": Verb(
        "Search, train and score a classifier.",
        "kerastrash.commands.training:tune_net",
        "tuners.config:TuneConfig",
    ),
    "train": Verb(
        "Train a net, or fine-tune one that has learned before.",
        "kerastrash.commands.training:train_net",
        "kerastrash.commands.settings:TrainConfig",
    ),
    "score": Verb(
        "Score a model: F1, time beside a baseline, the contest's score.",
        "kerastrash.commands.models:score_file",
        "kerastrash.scoring.config:ScoreConfig",
    ),
    "prepare": Verb(
        "Decode a data set into the cache and print what it holds.",
        "kerastrash.commands.data:prepare_data",
        "kerastrash.commands.settings:PrepareConfig",
    ),
    "prepare taco": Verb(
        "Fetch TACO's photographs and cut their crops; goes on after a kill.",
        "kerastrash.commands.data:prepare_taco",
        "kerastrash.data.config:TacoConfig",
    ),
    "prepare tfds": Verb(
        "Build a TFDS set of the crops, read everywhere as `--data tfds:NAME`.",
        "kerastrash.commands.data:prepare_tfds",
        "kerastrash.commands.settings:TfdsConfig",
    ),
    "check": Verb(
        "Look for leaks, conflicting labels and faults in a data set.",
        "kerastrash.commands.data:check_data",
        "kerastrash.data.config:CheckConfig",
    ),
    "export": Verb(
        "Export a model to formats that devices run, each file checked.",
        "kerastrash.commands.models:export_model",
        "kerastrash.export.formats:ExportConfig",
    ),
    "quantise": Verb(
        "Quantise a model to int8, and say what that costs in accuracy.",
        "kerastrash.commands.models:quantise_model",
        "kerastrash.commands.settings:QuantiseConfig",
    ),
    "prune": Verb(
        "Prune a model by whole channels, to a cost or to a time.",
        "kerastrash.commands.models:prune_model",
        "kerastrash.commands.settings:PruneConfig",
    ),
    "distill": Verb(
        "Train a small net on what larger ones say.",
        "kerastrash.commands.training:distill_net",
        "kerastrash.commands.settings:DistillConfig",
    ),
    "adjust": Verb(
        "Adjust a model to how frequent its classes are; trains nothing.",
        "kerastrash.commands.models:adjust_model",
        "kerastrash.commands.settings:AdjustConfig",
    ),
    "compare": Verb(
        "Compare nets and methods on one data set, over several seeds.",
        "kerastrash.commands.models:compare_systems",
        "tuners.config:CompareConfig",
    ),
    "benchmark": Verb(
        "Time model files of any format, in turns.",
        "kerastrash.commands.models:benchmark_files",
        "kerastrash.scoring.config:BenchmarkConfig",
    ),
    "predict": Verb(
        "Classify images by a model file: a line an image.",
        "kerastrash.commands.predict:predict",
        "kerastrash.commands.settings:PredictConfig",
    ),
    "version": Verb("Print the version.", "kerastrash.commands.doctor:version"),
    "doctor": Verb("Print versions, backends, devices and formats.", "kerastrash.commands.doctor:doctor"),
}
"""The words `prepare taco` are a verb below `prepare`."""
