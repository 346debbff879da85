"""compare and analyze: how prediction files differ, and why predictions miss moments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rdmf_cli.api.arguments import ClipLength, Count, FilePath, checked
from rdmf_cli.errors import UsageError
from rdmf_cli.outputs.payloads import Analysis, Comparison

COMPARE_USAGE = "rdmf compare A.jsonl B.jsonl --ground-truth G.jsonl [--dataset NAME]"
ANALYZE_USAGE = "rdmf analyze P.jsonl --ground-truth G.jsonl [--dataset NAME] [--train T.jsonl]"
PAGE = "the page"

Seed = Annotated[int, Field(ge=0)]


@checked
def compare(
    predictions: Sequence[FilePath],
    ground_truth: FilePath | None = None,
    *,
    dataset: str | None = None,
    only: Literal["moments", "highlights"] | None = None,
    metric: str | None = None,
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95,
    resamples: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000,
    seed: Seed = 0,
    top: Annotated[int, Field(ge=0)] = 20,
    clip_length: ClipLength | None = None,
    only_qids: FilePath | None = None,
    skip_bad: bool = False,
    html: FilePath | None = None,
    force: bool = False,
) -> Comparison:
    """Compare prediction files query by query; each file is compared with the first file.

    >>> compare(["a.jsonl", "b.jsonl"], "highlight_val_release.jsonl")  # doctest: +SKIP

    Args:
        predictions: Two files or more; the first is the baseline.
        ground_truth: The annotations of all queries.
        dataset: A benchmark, or your own annotations (JSON Lines); by default QVHighlights.
        only: Compare only the moments or only the highlights.
        metric: Metric that decides which queries are won and lost; None: the protocol's first.
        confidence: Confidence level of the intervals.
        resamples: Number of resamples of the bootstrap and of the permutation test.
        seed: Random seed of the bootstrap and of the permutation test.
        top: Number of queries to list: the queries that differ most.
        clip_length: Seconds per clip; None: the clip length of the benchmark, or 2.
        only_qids: A file with the qids to compare; None: all.
        skip_bad: Leave out annotations that have a fault, and note them.
        html: A file; the comparison is written there as a page.
        force: Replace a page that rdmf did not write.

    Returns:
        Differences with intervals and p-values, wins and losses, and the queries that differ most.

    Raises:
        UsageError: Options do not fit together, or have a wrong type or value.
        RdmfError: A file is missing (the error is then also a FileNotFoundError), or has an error.
    """
    from rdmf_cli.evaluation import GroundTruth, How, Options, compare_files
    from rdmf_cli.files import check_target, write_whole
    from rdmf_cli.outputs.comparison_page import comparison_page

    truth = _truth(ground_truth, dataset, COMPARE_USAGE)
    inputs = [*map(Path, predictions), truth]
    if html is not None:
        check_target(html, inputs=inputs, force=force, what=PAGE)  # check before the long work
    found = compare_files(
        inputs[:-1],
        GroundTruth(truth, dataset, clip_length, skip_bad, only_qids),
        Options(only=only),
        How(metric, confidence, resamples, seed, top),
    )
    made = Comparison.of(found)
    if html is not None:
        write_whole(html, comparison_page(made), inputs=inputs, force=force, what=PAGE)
    return made


@checked
def analyze(
    predictions: FilePath,
    ground_truth: FilePath | None = None,
    *,
    dataset: str | None = None,
    train: FilePath | None = None,
    threshold: Annotated[float, Field(ge=0.1, le=1)] = 0.5,
    resamples: Count = 10_000,
    seed: Seed = 0,
    clip_length: ClipLength | None = None,
    only_qids: FilePath | None = None,
    skip_bad: bool = False,
    plot: FilePath | None = None,
    force: bool = False,
) -> Analysis:
    """Find out where and why the predictions of a file miss moments.

    >>> analyze("p.jsonl", "highlight_val_release.jsonl").losses  # doctest: +SKIP

    Args:
        predictions: JSON Lines in the field's submission format.
        ground_truth: The annotations of all queries.
        dataset: A benchmark, or your own annotations (JSON Lines); by default QVHighlights.
        train: Annotations of the train split, for the blind baseline.
        threshold: The lowest IoU at which a predicted window counts as correct.
        resamples: Number of resamples for the intervals of the gain over the blind baseline.
        seed: Random seed of the resampling.
        clip_length: Seconds per clip; None: the clip length of the benchmark, or 2.
        only_qids: A file with the qids to analyse; None: all.
        skip_bad: Leave out annotations that have a fault, and note them.
        plot: A file; the figure of the analysis is written there.
        force: Replace a figure that rdmf did not write.

    Returns:
        Oracles, causes with their cost, groups, bias, calibration, and the blind baseline.

    Raises:
        MissingExtra: `plot` is given, and matplotlib is not installed.
        UsageError: Options do not fit together, or have a wrong type or value.
        RdmfError: A file is missing (the error is then also a FileNotFoundError), or has an error.
    """
    from rdmf_cli.evaluation import GroundTruth, How, analyze_files
    from rdmf_cli.files import check_target
    from rdmf_cli.outputs.analysis_figure import WHAT, save_analysis_figure

    truth = _truth(ground_truth, dataset, ANALYZE_USAGE)
    inputs = [Path(predictions), truth, *([] if train is None else [Path(train)])]
    if plot is not None:
        check_target(plot, inputs=inputs, force=force, what=WHAT)  # check before the long work
    found = analyze_files(
        predictions,
        GroundTruth(truth, dataset, clip_length, skip_bad, only_qids),
        train,
        threshold,
        How(resamples=resamples, seed=seed),
    )
    made = Analysis.of(found)
    if plot is not None:
        save_analysis_figure(plot, made, inputs=tuple(inputs), force=force)
    return made


def _truth(ground_truth: FilePath | None, dataset: str | None, usage: str) -> Path:
    """Find the annotation file; the data set itself may be this file."""
    if ground_truth is not None:
        return Path(ground_truth)
    if dataset is None or not Path(dataset).suffix:
        raise UsageError("not given", "--ground-truth", usage)
    return Path(dataset)
