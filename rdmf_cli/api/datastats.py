"""data_report: the numbers of a data set, and its problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.api.arguments import ClipLength, FilePath, checked
from rdmf_cli.errors import UsageError
from rdmf_cli.outputs.payloads.data import DataFinding, DataReport, SplitNumbers, StreamNumbers

if TYPE_CHECKING:
    from rdmf_cli.datasets import Annotations, Dataset

USAGE = "rdmf data stats --dataset NAME --features FOLDER, or --annotations FILE"


@checked
def data_report(
    *,
    dataset: str = "qvhighlights",
    annotations: Sequence[FilePath] = (),
    features: FilePath | None = None,
    splits: Sequence[str] = ("train", "val"),
    streams: Sequence[str] | None = None,
    text: str | None = None,
    clip_length: ClipLength | None = None,
) -> DataReport:
    """Describe a data set, and find its problems.

    >>> data_report(dataset="charades", features="charades", splits=["train", "test"]).findings
    ... # doctest: +SKIP

    Args:
        dataset: A benchmark, or your own annotations (JSON Lines).
        annotations: The annotation files, one per split; by default the files of `splits`.
        features: Folder of features; every file in the folder is read once. None: annotations
            alone.
        splits: The splits. Their files are looked for in `features` and in the folder above.
        streams: Names of the streams to read; None: all that rdmf recognises.
        text: Name of the queries' features; None: the first that rdmf recognises.
        clip_length: Seconds per clip of your own data; None: 2.

    Returns:
        The numbers of splits and streams, and the problems (`findings`).

    Raises:
        UsageError: Options do not fit together.
        RdmfError: A file is missing, or an annotation file cannot be read at all.
    """
    from rdmf_cli.datasets import statistics
    from rdmf_cli.datasets.feature_folder import FeatureFolder

    opened, read = _opened(dataset, annotations, features, splits, clip_length)
    findings = [
        *(one for name, part in read.items() for one in statistics.within_split(name, part)),
        *statistics.across_splits(read),
    ]
    found: dict[str, statistics.StreamStatistics] = {}
    notes = [note for part in read.values() for note in _notes(part)]
    if features is not None:
        folder = FeatureFolder(Path(features), streams=streams, text=text, where=opened.where)
        notes += folder.notes
        found, more = statistics.check_features(folder, _together(read), opened)
        findings += more
    return DataReport(
        dataset=opened.name,
        clip_length=opened.clip_length,
        splits={
            name: SplitNumbers(**asdict(statistics.split_statistics(part.entries)))
            for name, part in read.items()
        },
        streams={name: StreamNumbers(**asdict(one)) for name, one in found.items()},
        findings=tuple(DataFinding(**asdict(one)) for one in findings),
        notes=tuple(dict.fromkeys(notes)),
    )


def _opened(
    dataset: str,
    files: Sequence[FilePath],
    features: FilePath | None,
    splits: Sequence[str],
    clip_length: float | None,
) -> tuple[Dataset, Mapping[str, Annotations]]:
    """Open the annotations of each split; skip bad entries, so that they become findings."""
    from rdmf_cli.datasets import open_annotations

    own = bool(Path(dataset).suffix)
    paths: dict[str, Path | None] = {Path(file).name: Path(file) for file in files}
    if not paths and own:
        paths = {Path(dataset).name: Path(dataset)}
    if not paths:
        if features is None:
            raise UsageError("not given", "--features and --annotations", USAGE)
        paths = dict.fromkeys(splits)
    read = {}
    for name, path in paths.items():
        opened, read[name] = open_annotations(
            dataset,
            path,
            folder=Path(features or "."),
            split=name,
            clip_length=clip_length,
            skip_bad=True,
        )
    return opened, read


def _notes(part: Annotations) -> list[str]:
    """Return the notes of a split; its entries with errors are findings."""
    skipped = part.notes_on_skipped()
    return [note for note in part.notes if note not in skipped]


def _together(read: Mapping[str, Annotations]) -> Annotations:
    parts = list(read.values())
    return replace(parts[0], entries=[entry for part in parts for entry in part])
