"""Annotated queries with the features of their videos, for training and evaluation.

    >>> from rdmf_cli.datasets import DATASETS, open_samples
    >>> samples = open_samples(DATASETS["qvhighlights"], "val.jsonl", features="features")
    >>> samples[0].similarity  # (L,) cosine of each clip and the query

All arrays are numpy; training converts them to tensors.
"""

from rdmf_cli.datasets.annotations import Annotation, Annotations, read_annotations
from rdmf_cli.datasets.benchmarks import (
    DATASETS,
    Dataset,
    dataset_named,
    find_annotations,
    open_annotations,
    own_dataset,
)
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
    "dataset_named",
    "find_annotations",
    "hold_out",
    "open_annotations",
    "open_samples",
    "own_dataset",
    "read_annotations",
]
