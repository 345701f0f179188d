"""From the settings to the report of a check."""

from collections import Counter
from collections.abc import Sequence

from kerastrash.data.checks.annotations import NOT_STATED, AnnotationFacts, annotation_facts, annotation_file
from kerastrash.data.checks.config import CheckConfig
from kerastrash.data.checks.counts import class_counts, counted_dataset, counted_source, histograms
from kerastrash.data.checks.duplicates import duplicate_findings
from kerastrash.data.checks.files import file_findings, left_out_of
from kerastrash.data.checks.findings import present
from kerastrash.data.checks.report import CheckReport
from kerastrash.data.checks.scan import Photograph, scan
from kerastrash.data.checks.sightings import sight_crops, sight_photographs
from kerastrash.data.config import check_config
from kerastrash.data.dataset import Dataset, open_source, prepare_source
from kerastrash.data.records import Source
from kerastrash.errors import DataError


def check(config: CheckConfig) -> CheckReport:
    """Reads every photograph of the source once, prepares the set, and reports what was found.

    A set that cannot be prepared (no image is there, a class is too small to split) is checked all the same: the
    report says why in `unusable`.

    Raises:
        DataError: the source cannot be read.
        ConfigError: a setting is out of range.
        FileError: the cache cannot be written.
    """
    check_config(config, config.input_size)
    source = open_source(config)
    scanned = scan(source)
    dataset, unusable = _prepared(source, config)
    own = _sides(dataset)
    facts = _annotation_facts(config, source, scanned)
    counted = counted_dataset(dataset) if dataset else counted_source(source)
    photographs, crops = sight_photographs(source, scanned, own), sight_crops(source, scanned, own)
    found = [
        *duplicate_findings(photographs, crops, config.near),
        *file_findings(source, scanned, dataset.left_out if dataset else left_out_of(source, scanned)),
        *facts.findings,
    ]
    return CheckReport(
        name=source.name,
        data=config.data,
        photographs=len(scanned),
        crops=len(source.crops),
        counts=class_counts(counted),
        histograms=histograms(counted),
        licences=facts.licences,
        categories=facts.categories,
        findings=present(found),
        strict=config.strict,
        unusable=unusable,
        dataset=dataset,
    )


def _prepared(source: Source, config: CheckConfig) -> tuple[Dataset | None, str]:
    try:
        return prepare_source(source, config, config.input_size), ""
    except DataError as error:
        return None, str(error)


def _sides(dataset: Dataset | None) -> dict[str, str]:
    """The side of each crop by its key."""
    if dataset is None:
        return {}
    return {dataset.crops[index].key: side for side, indices in dataset.splits.items() for index in indices}


def _annotation_facts(config: CheckConfig, source: Source, scanned: Sequence[Photograph]) -> AnnotationFacts:
    path = annotation_file(config)
    if path is not None:
        sizes = {source.crops[one.crops[0]].image_id: one.look.size for one in scanned if one.look}
        return annotation_facts(path, config.categories, sizes)
    licences = Counter(source.crops[one.crops[0]].licence or NOT_STATED for one in scanned)
    return AnnotationFacts((), tuple(licences.most_common()) if set(licences) != {NOT_STATED} else (), ())
