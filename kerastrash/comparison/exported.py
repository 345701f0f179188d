"""A job's model as the file that is timed: written once, and kept only if its runtime gives the model's outputs."""

from pathlib import Path

from kerastrash.comparison.job import Job
from kerastrash.data import Dataset
from kerastrash.export.export import compared_images, export_model, exported_name, open_original
from kerastrash.export.formats import FormatName

EXPORTS = "exports"
"""The folder of the exported files, beside the model."""
COMPARED = 32
"""Images of the test split on which file and model are compared."""


def exported(job: Job, name: FormatName, dataset: Dataset) -> Path:
    """The path of the job's model in a format; of the model itself for `keras`.

    Args:
        dataset: at the model's size.

    Raises:
        KerastrashError: as `export_model` does.
    """
    if name == "keras":
        return job.model
    path = job.folder / EXPORTS / exported_name(job.model.stem, name, "float32")
    if not path.exists() or path.stat().st_mtime < job.model.stat().st_mtime:
        export_model(open_original(job.model, compared_images(dataset.part("test"), COMPARED)), name, path)
    return path
