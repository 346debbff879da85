"""Find out why predictions miss moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.registry import Dataset
from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation.bias import Bias, bias
from rdmf_cli.evaluation.blind import blind_predictions
from rdmf_cli.evaluation.calibration import Calibration, calibration
from rdmf_cli.evaluation.causes import Loss, diagnose_all, first_causes, losses, missed_moments
from rdmf_cli.evaluation.compare import Difference, How, compare
from rdmf_cli.evaluation.grounding import THRESHOLDS
from rdmf_cli.evaluation.groups import grouped
from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.pairs import Options, Pairs, pair
from rdmf_cli.evaluation.per_query import Columns, query_scores
from rdmf_cli.evaluation.predictions import Predictions, read_predictions
from rdmf_cli.evaluation.retrieval import PREDICTIONS_SCORED, best_iou
from rdmf_cli.evaluation.truth import GroundTruth

THRESHOLD = 0.5


@dataclass(frozen=True)
class Oracle:
    """Hold the metrics, per cent, of an oracle that ranks the best of the first windows first."""

    within: int
    mean_iou: float
    recall: dict[str, float]


@dataclass(frozen=True)
class GroupScores:
    """The mean of every metric over the queries of one group, per cent."""

    by: str
    group: str
    queries: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Blind:
    """Hold a comparison of the predictions with the blind baseline.

    Attributes:
        train: The annotations of the train split; the baseline predicts their typical windows.
        windows: (10, 2) the windows of the baseline, as shares of a video, best first.
        differences: For each metric, the score of the baseline (`baseline`), the score of the
            predictions (`other`), and their difference.
    """

    train: str
    windows: list[list[float]]
    differences: list[Difference]


@dataclass(frozen=True)
class Analysis:
    """Hold why and where the predictions of one file miss moments.

    Attributes:
        threshold: The lowest IoU with which a window counts as finding a moment, for causes and
            calibration.
        first: Share of queries by the cause of their first window (`causes.FIRST_CAUSES`), per
            cent.
        missed: Share of the moments that none of the first ten windows finds, per cent.
        calibration: None if predictions have no scores.
        blind: None if no train split is given.
    """

    dataset: str
    file: str
    queries: int
    moments: int
    threshold: float
    oracle: list[Oracle]
    first: dict[str, float]
    losses: list[Loss]
    missed: float
    groups: list[GroupScores]
    bias: Bias
    calibration: Calibration | None
    blind: Blind | None
    notes: list[str]


def analyze(
    predictions: Predictions,
    annotations: Annotations,
    dataset: Dataset,
    train: Annotations | None = None,
    threshold: float = THRESHOLD,
    how: How | None = None,
) -> Analysis:
    """Analyse predicted moments.

    Args:
        predictions: One prediction for every annotation.
        annotations: Annotations with ground truth.
        dataset: The data set; its protocol scores the queries.
        train: Annotations of the train split, for the blind baseline.
        threshold: The lowest IoU at which a window reaches a moment.
        how: Confidence, resamples and seed for the intervals of the gain over the blind baseline.

    Raises:
        RdmfError: No query has a moment, or a line is invalid.
    """
    options = Options(only="moments")
    pairs = pair(predictions, annotations, dataset, options)
    scored = pairs.with_moments()
    if not len(scored):
        todo = "give annotations with relevant_windows"
        raise RdmfError("no query has a moment to analyse", annotations.path, todo)
    predicted, truths = scored.windows(), scored.truths()
    queries = diagnose_all(scored.annotations, predicted, truths, threshold)
    quiet = replace(scored, notes=[])  # the notes on the scores were made above
    return Analysis(
        dataset=dataset.name,
        file=str(predictions.path),
        queries=len(scored),
        moments=sum(map(len, truths)),
        threshold=threshold,
        oracle=[_oracle(predicted, truths, k + 1) for k in range(PREDICTIONS_SCORED)],
        first=first_causes(queries),
        losses=losses(queries, threshold),
        missed=missed_moments(queries, threshold),
        groups=_groups(query_scores(quiet, dataset, options), scored.annotations),
        bias=bias(scored.annotations, predicted, truths),
        calibration=_calibration(scored, predicted, truths, threshold),
        blind=None if train is None else _blind(scored, train, dataset, options, how or How()),
        notes=list(dict.fromkeys(pairs.notes)),
    )


def analyze_files(
    predictions: str | PathLike[str],
    truth: GroundTruth,
    train: str | PathLike[str] | None = None,
    threshold: float = THRESHOLD,
    how: How | None = None,
) -> Analysis:
    """Analyse a prediction file, as `analyze` does; `train`: annotations of the train split."""
    dataset, annotations = truth.read()
    known = None if train is None else dataset.read(Path(train), truth.skip_bad)
    found = read_predictions(Path(predictions))
    return analyze(found, annotations, dataset, known, threshold, how)


def _oracle(predicted: Sequence[Array], truths: Sequence[Array], within: int) -> Oracle:
    iou = best_iou(predicted, truths, within)
    reached = {f"{t:g}": float(100 * (iou >= t).mean()) for t in THRESHOLDS}
    return Oracle(within, float(100 * iou.mean()), reached)


def _groups(columns: Columns, annotations: Sequence[Annotation]) -> list[GroupScores]:
    kept = {name: column for name, column in columns.items() if name.startswith("MR-full")}
    return [
        GroupScores(
            by,
            group,
            int(flags.sum()),
            {name: float(column[flags].mean()) for name, column in kept.items()},
        )
        for by, groups in grouped(annotations).items()
        for group, flags in groups.items()
    ]


def _calibration(
    pairs: Pairs, predicted: Sequence[Array], truths: Sequence[Array], threshold: float
) -> Calibration | None:
    """Measure calibration over the queries that have a window; None if windows have no scores."""
    found = np.array([len(windows) > 0 for windows in predicted])
    if not found.any() or not all(prediction.scored for prediction in pairs.predictions):
        return None
    scores = np.array([windows[0, 2] for windows in predicted if len(windows)])
    right = best_iou(predicted, truths)[found] >= threshold
    return calibration(scores, right)


def _blind(pairs: Pairs, train: Annotations, dataset: Dataset, options: Options, how: How) -> Blind:
    """Compare the predictions with the train split's typical windows, query by query."""
    queries = Annotations(pairs.truth_path, pairs.annotations)
    baseline = blind_predictions(train, pairs.annotations)
    found = Predictions(pairs.path, pairs.predictions)
    unbound = replace(options, outside="keep", round_to=None)  # both were applied above
    compared = compare([baseline, found], queries, dataset, unbound, how)
    first = pairs.annotations[0]
    windows = baseline.entries[0].windows
    assert windows is not None
    assert first.duration is not None
    return Blind(
        train=str(train.path),
        windows=(windows[:, :2] / first.duration).tolist(),
        differences=compared.others[0].differences,
    )
