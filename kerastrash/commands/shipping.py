"""`export`, `quantise`, `prune` and `adjust`: from a trained model to the file that runs on the device."""

from dataclasses import replace
from typing import TypeVar

from kerastrash.commands.settings import AdjustConfig, PruneConfig, QuantiseConfig
from kerastrash.compress.prune import prune
from kerastrash.compress.quantise import quantise
from kerastrash.console import results, written
from kerastrash.data.config import data_of_run
from kerastrash.export.agreement import ExportReport
from kerastrash.export.config import ExportConfig
from kerastrash.export.export import export_formats, exported_name
from kerastrash.files import sha256, write_json
from kerastrash.reports.compress import draw_widths, prune_table, quantisation_table
from kerastrash.reports.export import export_tables
from kerastrash.reports.score import adjustment_json, adjustment_table, draw_adjustment
from kerastrash.runs import MODEL, model_in, open_run, run_folder
from kerastrash.scoring.adjustment import adjust
from kerastrash.scoring.config import ScoreConfig

OfOneModel = TypeVar("OfOneModel", bound=ExportConfig | QuantiseConfig | PruneConfig | AdjustConfig | ScoreConfig)


def of_run(config: OfOneModel) -> OfOneModel:
    """The settings with the model of the run that they name, and with the run's data where they name none."""
    model = model_in(config.model)
    return replace(config, model=model, data=data_of_run(model, config.data))


def export_model(config: ExportConfig) -> int:
    """Exports a saved model and checks every file in its own runtime; 1 where a format failed."""
    config = of_run(config)
    attempts = export_formats(config)
    results().print(*export_tables(attempts, str(config.model)), sep="\n")
    return 0 if all(isinstance(attempt.outcome, ExportReport) for attempt in attempts) else 1


def quantise_model(config: QuantiseConfig) -> None:
    """Quantises a trained model to int8; refuses the file where it loses more macro F1 than allowed."""
    config = of_run(config)
    usual = config.model.parent / "exports" / exported_name(config.model.stem, config.runtime, "int8")
    output = config.output or usual
    report = quantise(config.model, config.runtime, output, config.data, config.quantise)
    results().print(quantisation_table(report))
    written(output, f" and {output.name}.json are written")


def prune_model(config: PruneConfig) -> None:
    """Prunes a trained model by whole channels in its run, fine-tuning as it goes."""
    config = of_run(config)
    with open_run(run_folder(config.runs, config.name, config.usual_name, config), config) as folder:
        report = prune(config.model, config.data, config.recipe, config.prune, folder)
        draw_widths(report.widths, folder / "widths.png")
    results().print(prune_table(report))
    written(report.model, ", prune.json and widths.png beside it are written")


def adjust_model(config: AdjustConfig) -> None:
    """Adjusts a trained classifier to its classes' frequencies by macro F1 on the validation split."""
    config = of_run(config)
    with open_run(run_folder(config.runs, config.name, config.usual_name, config), config) as folder:
        model = folder / MODEL
        adjustment = adjust(config.model, config.data, model)
        origin = {"source": str(config.model), "source_sha256": sha256(config.model)}
        write_json(folder / "adjust.json", adjustment_json(adjustment, **origin))
        draw_adjustment(adjustment, folder / "adjustment.png")
    results().print(adjustment_table(adjustment, f"{config.model}: {config.data.data}"))
    written(model, ", adjust.json and adjustment.png beside it are written")
