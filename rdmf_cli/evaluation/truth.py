"""The ground truth of an evaluation: an annotation file, and how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from rdmf_cli.datasets.annotations import Annotations
from rdmf_cli.datasets.benchmarks import open_own
from rdmf_cli.datasets.qids import read_qids
from rdmf_cli.datasets.registry import DATASETS, Dataset


@dataclass(frozen=True)
class GroundTruth:
    """Hold an annotation file, and how to read it.

    Attributes:
        file: The file.
        dataset: A benchmark, by name or as an object. None, or a name with a suffix such as
            "mine.jsonl", means the user's own annotations. They are scored by the rules of
            QVHighlights, so the annotations of QVHighlights need no name.
        clip_length: Seconds per clip, for the user's own annotations; None: 2.
        skip_bad: Leave out annotations with errors, and note which.
        only_qids: A file with the qids to keep; None: all.
    """

    file: str | PathLike[str]
    dataset: str | Dataset | None = None
    clip_length: float | None = None
    skip_bad: bool = False
    only_qids: str | PathLike[str] | None = None

    def read(self) -> tuple[Dataset, Annotations]:
        """Read the annotations, and find the data set that decides how to score them.

        Raises:
            UsageError: There is no such benchmark, or the benchmark has another clip length.
            RdmfError: The file cannot be read, or has an error.
        """
        found, annotations = self._all()
        if self.only_qids is not None:
            annotations = annotations.select(read_qids(self.only_qids))
        return found, annotations

    def _all(self) -> tuple[Dataset, Annotations]:
        benchmark, file = self._benchmark(), Path(self.file)
        if benchmark is None:
            return open_own(file, self.clip_length, self.skip_bad)
        required = benchmark.require_clip_length(self.clip_length)
        return benchmark, required.read(file, self.skip_bad)

    def _benchmark(self) -> Dataset | None:
        if isinstance(self.dataset, Dataset):
            return self.dataset
        return None if self.dataset is None or is_own(self.dataset) else DATASETS.find(self.dataset)


def is_own(dataset: str) -> bool:
    """Return whether a data set is a file of the user's own annotations, not a benchmark's name."""
    return dataset not in DATASETS and bool(Path(dataset).suffix)
