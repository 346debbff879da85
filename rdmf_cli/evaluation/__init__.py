"""Score predictions by the protocols of the field's benchmarks.

    >>> from rdmf_cli.evaluation import GroundTruth, evaluate_files
    >>> truth = GroundTruth("highlight_val_release.jsonl", "qvhighlights")
    >>> evaluate_files("preds.jsonl", truth)["brief"]

The modules `qvhighlights`, `grounding` and `domains` compute the metrics alone, on arrays.
"""

from typing import TYPE_CHECKING

from rdmf_cli.datasets.annotations import Annotation, Annotations, read_annotations
from rdmf_cli.datasets.benchmarks import own_dataset
from rdmf_cli.datasets.registry import DATASETS, Dataset
from rdmf_cli.evaluation.pairs import Options
from rdmf_cli.evaluation.predictions import (
    Prediction,
    Predictions,
    read_predictions,
    write_submission,
)
from rdmf_cli.evaluation.query_table import query_table
from rdmf_cli.evaluation.scoring import (
    evaluate,
    evaluate_files,
    nothing_scored,
    rounded,
)
from rdmf_cli.evaluation.truth import GroundTruth
from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.evaluation.analyze import Analysis, analyze_files
    from rdmf_cli.evaluation.compare import Comparison, How, compare_files

__all__ = [
    "DATASETS",
    "Analysis",
    "Annotation",
    "Annotations",
    "Comparison",
    "Dataset",
    "GroundTruth",
    "How",
    "Options",
    "Prediction",
    "Predictions",
    "analyze_files",
    "compare_files",
    "evaluate",
    "evaluate_files",
    "nothing_scored",
    "own_dataset",
    "query_table",
    "read_annotations",
    "read_predictions",
    "rounded",
    "write_submission",
]

_HERE = "rdmf_cli.evaluation"
_HOMES = {  # names that `rdmf eval` does not need
    **dict.fromkeys(("Analysis", "analyze_files"), f"{_HERE}.analyze"),
    **dict.fromkeys(("Comparison", "How", "compare_files"), f"{_HERE}.compare"),
}

__getattr__ = lazily(__name__, _HOMES)
__dir__ = listed(__name__, _HOMES)
