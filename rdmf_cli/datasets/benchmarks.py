"""Open a dataset: a benchmark of the registry, or the user's own annotations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rdmf_cli.datasets.annotations import Annotations, read_annotations
from rdmf_cli.datasets.registry import DATASETS, Dataset
from rdmf_cli.errors import MissingFileError

OWN_CLIP_LENGTH = 2.0  # seconds; default for the user's own annotations, as in QVHighlights


SPELLINGS = {"val": ("val", "valid")}  # YouTube Highlights' authors write "valid"


def find_annotations(split: str, folder: Path, dataset: Dataset | None = None) -> Path:
    """Find the annotation file of a split: `<split>.jsonl`, or the benchmark's own name.

    The function looks in the folder, then in the folder above; it prefers plain files to gzipped
    files.

    Args:
        split: Name of the split: train, val, test.
        folder: The folder of the features or videos.
        dataset: The benchmark; None: own annotations.

    Raises:
        RdmfError: There is no such file; the message lists the names.
    """
    names = list(_names(split, dataset))
    for place in (folder, folder.absolute().parent):
        for name in names:
            if (found := place / name).is_file():
                return found
    what = f"no annotations of the split {split} here or in the folder above"
    looked = ", ".join(name for name in names if not name.endswith(".gz"))
    where = f"; see {dataset.where}" if dataset and dataset.where else ""
    todo = f"put one of these there, or name the file: {looked}{where}"
    raise MissingFileError(what, folder, todo)


def _names(split: str, dataset: Dataset | None) -> Iterator[str]:
    patterns = ("{split}.jsonl", *(dataset.files if dataset else ()))
    for pattern in patterns:
        for spelled in SPELLINGS.get(split, (split,)):
            name = pattern.format(split=spelled)
            yield from (name, f"{name}.gz")


def own_dataset(annotations: Annotations, clip_length: float = OWN_CLIP_LENGTH) -> Dataset:
    """Return a dataset for the user's own annotations, with the metrics of QVHighlights.

    If no video is longer than QVHighlights' 150 s, predictions are clamped to 150 s, like published
    predictions.

    Args:
        annotations: The annotations.
        clip_length: Length of a clip in seconds.
    """
    qvhighlights = DATASETS["qvhighlights"]
    durations = [annotation.duration or 0.0 for annotation in annotations]
    clamp = qvhighlights.clamp if max(durations) <= (qvhighlights.clamp or 0.0) else None
    name, protocol = annotations.path.name, qvhighlights.protocol
    return Dataset(name, clip_length, protocol, clamp=clamp, rounded=False)


def open_annotations(
    dataset: str,
    annotations: Path | None = None,
    *,
    folder: Path,
    split: str = "val",
    clip_length: float | None = None,
    skip_bad: bool = False,
) -> tuple[Dataset, Annotations]:
    """Open the dataset and the annotations that the options of a command name.

    Args:
        dataset: Name of a benchmark, or path of the user's own annotations.
        annotations: The annotation file; None: the file of the split, or `dataset` itself.
        folder: The folder of the features or videos, which contains the annotation file of the
            split.
        split: Name of the split: train, val, test.
        clip_length: Length of a clip in seconds, for own annotations; None: OWN_CLIP_LENGTH.
        skip_bad: Skip entries with errors.

    Returns:
        The dataset and its annotations.

    Raises:
        UsageError: There is no such benchmark, or it has another clip length.
        RdmfError: The annotations cannot be found or read.
    """
    if dataset in DATASETS or not Path(dataset).suffix:
        benchmark = DATASETS.find(dataset).require_clip_length(clip_length)
        path = annotations or find_annotations(split, folder, benchmark)
        return benchmark, benchmark.read(path, skip_bad)
    return open_own(annotations or dataset, clip_length, skip_bad)


def open_own(
    path: Path | str, clip_length: float | None = None, skip_bad: bool = False
) -> tuple[Dataset, Annotations]:
    """Open the user's own annotations as a dataset.

    Args:
        path: The annotation file.
        clip_length: Length of a clip in seconds; None: OWN_CLIP_LENGTH.
        skip_bad: Skip entries with errors.

    Returns:
        The dataset and its annotations.

    Raises:
        RdmfError: The annotations cannot be read.
    """
    seconds = OWN_CLIP_LENGTH if clip_length is None else clip_length
    annotations = read_annotations(path, seconds, skip_bad)
    return own_dataset(annotations, seconds), annotations
