"""Annotated queries with the features of their videos, for training and evaluation.

    >>> from rdmf_cli.datasets import DATASETS, open_samples
    >>> samples = open_samples(DATASETS["qvhighlights"], "val.jsonl", features="features")
    >>> samples[0].similarity  # (L,) cosine of each clip and the query

All arrays are numpy; training converts them to tensors.
"""

from typing import TYPE_CHECKING

from rdmf_cli.datasets.registry import DATASETS, Dataset
from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.datasets.annotations import Annotation, Annotations, read_annotations
    from rdmf_cli.datasets.benchmarks import find_annotations, open_annotations, own_dataset
    from rdmf_cli.datasets.feature_folder import FeatureFolder
    from rdmf_cli.datasets.sample import Sample, Text
    from rdmf_cli.datasets.samples import Samples, open_samples
    from rdmf_cli.datasets.split import hold_out
    from rdmf_cli.datasets.video_folder import VideoFolder

__all__ = [
    "DATASETS",
    "Annotation",
    "Annotations",
    "Dataset",
    "FeatureFolder",
    "Sample",
    "Samples",
    "Text",
    "VideoFolder",
    "find_annotations",
    "hold_out",
    "open_annotations",
    "open_samples",
    "own_dataset",
    "read_annotations",
]

_HERE = "rdmf_cli.datasets"
_HOMES = {
    **dict.fromkeys(("Annotation", "Annotations", "read_annotations"), f"{_HERE}.annotations"),
    **dict.fromkeys(("find_annotations", "open_annotations", "own_dataset"), f"{_HERE}.benchmarks"),
    "FeatureFolder": f"{_HERE}.feature_folder",
    **dict.fromkeys(("Sample", "Text"), f"{_HERE}.sample"),
    **dict.fromkeys(("Samples", "open_samples"), f"{_HERE}.samples"),
    "hold_out": f"{_HERE}.split",
    "VideoFolder": f"{_HERE}.video_folder",
}

__getattr__ = lazily(__name__, _HOMES)
__dir__ = listed(__name__, _HOMES)
