"""The verbs of `kerastrash VERB`: settings and function of each, imported when it is called."""

import importlib
import inspect
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verb:
    """A command; settings and function are written `module:name`, the module absolute or from this package."""

    function: str
    """Takes the settings, where there are any; a whole number that it returns is the exit status."""
    settings: str | None = None
    """Its dataclass, in a module that imports neither keras nor torch; without a module, in `settings` here."""
    about: str = ""
    """The help of a command without settings."""

    @property
    def help(self) -> str:
        """The docstring of the settings; its first line stands among all verbs."""
        return inspect.getdoc(imported(self.settings)) if self.settings else self.about


def imported(place: str) -> Any:
    """What `module:name` stands for."""
    module, _, name = place.rpartition(":")
    return getattr(importlib.import_module(module or ".settings", __name__), name)


VERBS = {
    "tune": Verb(".training:tune_net", "tuners.config:TuneConfig"),
    "train": Verb(".training:train_net", "TrainConfig"),
    "score": Verb(".models:score_file", "..scoring.config:ScoreConfig"),
    "prepare": Verb(".data:prepare_data", "PrepareConfig"),
    "prepare taco": Verb(".data:prepare_taco", "..data.config:TacoConfig"),
    "prepare tfds": Verb(".data:prepare_tfds", "TfdsConfig"),
    "check": Verb(".data:check_data", "..data.config:CheckConfig"),
    "export": Verb(".models:export_model", "..export.formats:ExportConfig"),
    "quantise": Verb(".models:quantise_model", "QuantiseConfig"),
    "prune": Verb(".models:prune_model", "PruneConfig"),
    "distill": Verb(".training:distill_net", "DistillConfig"),
    "adjust": Verb(".models:adjust_model", "AdjustConfig"),
    "compare": Verb(".models:compare_systems", "tuners.config:CompareConfig"),
    "benchmark": Verb(".models:benchmark_files", "..scoring.config:BenchmarkConfig"),
    "predict": Verb(".device:predict", "PredictConfig"),
    "version": Verb(".device:version", about="Print the version."),
    "doctor": Verb(".device:doctor", about="Print versions, backends, devices and formats."),
}
"""The words `prepare taco` are a verb below `prepare`."""
