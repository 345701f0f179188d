"""The files that a benchmark times: of each model every format, dtype policy, backend and number of threads."""

from dataclasses import replace
from pathlib import Path

from kerastrash.console import say, track
from kerastrash.errors import KerastrashError
from kerastrash.export.format import Description
from kerastrash.export.formats import FORMATS, FormatName, check_digests, format_of
from kerastrash.export.writing import write_model
from kerastrash.models.builder import in_policy
from kerastrash.models.saved import open_model, read_description, save_model
from kerastrash.scoring.baseline import dtype_policy_of
from kerastrash.scoring.candidates import Candidate
from kerastrash.scoring.config import BenchmarkConfig
from kerastrash.training.recipe import DtypePolicy

ON_ACCELERATOR: tuple[DtypePolicy, ...] = ("float32", "mixed_float16")
"""Policies in which a `.keras` file is timed beside its own, so that a table says which is faster there."""

Policies = tuple[DtypePolicy | None, ...]
"""None is a file's own."""


def candidates_of(config: BenchmarkConfig, folder: Path, accelerator: str = "") -> list[Candidate]:
    """The files of all models that the settings name, failures included; new ones go into `folder`.

    Args:
        accelerator: name of the device that Keras computes on; empty for the processor.
    """
    policies = config.policies or (None, *(ON_ACCELERATOR if accelerator else ()))
    jobs = [(model, name) for model in config.models for name in _formats_of(model, config)]
    files = []
    for number, (model, name) in enumerate(track(jobs, "preparing", "files")):
        files += _files(model, name, folder / str(number), policies)
    return [
        replace(file, threads=threads, backend=backend)
        for file in files
        for backend in (config.backends if config.backends and file.format == "keras" else (None,))
        for threads in config.threads
    ]


def _formats_of(model: Path, config: BenchmarkConfig) -> list[FormatName | None]:
    """The formats that a model is timed in, None for its own; what is left out of `all` is said."""
    if config.formats is None or model.suffix != FORMATS["keras"].suffix:
        return [None]
    if config.formats != "all":
        return list(config.formats)
    missing = {name: FORMATS[name].missing() for name in FORMATS}
    for name, line in missing.items():
        if line:
            say(f"{model} is not timed as {name}: run {line}")
    return [name for name, line in missing.items() if not line]


def _files(model: Path, name: FormatName | None, folder: Path, policies: Policies) -> list[Candidate]:
    """A model in a format, as a `.keras` file in each of the dtype policies."""
    try:
        own = format_of(model).name
        if own == "keras":
            check_digests(model)
        if name in (None, own):
            return _in_policies(model, folder, policies) if own == "keras" else [Candidate(model, own, model)]
        classes = Description.from_json(read_description(model), model).classes
        path = folder / f"model{FORMATS[name].suffix}"
        return [Candidate(model, name, write_model(open_model(model), name, path, Description(classes)))]
    except KerastrashError as error:
        return [Candidate(model, name, None, failure=str(error))]


def _in_policies(path: Path, folder: Path, policies: Policies) -> list[Candidate]:
    """A `.keras` file in dtype policies: for its own it is taken as it is, for the others written anew."""
    model, classes = open_model(path), Description.from_json(read_description(path), path).classes
    own, files = dtype_policy_of(model), []

    def rewritten(policy: DtypePolicy) -> Path:
        file = folder / f"{policy}.keras"
        save_model(in_policy(model, policy), file, classes)
        return file

    for policy in dict.fromkeys(policy or own for policy in policies):
        files.append(file := Candidate(path, "keras", path if policy == own else None, policy))
        file.path = file.path or file.attempt(rewritten, policy)
    return files
