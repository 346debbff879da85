"""rdmf compare: is one file of predictions better than another file?"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options, scoring_options


class Only(str, Enum):
    """List what can be compared."""

    moments = "moments"
    highlights = "highlights"


def compare(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="A.jsonl B.jsonl …",
            help="Prediction files (JSON Lines); the first is the baseline.",
            show_default=False,
        ),
    ],
    ground_truth: scoring_options.GroundTruthFile = None,
    dataset: scoring_options.DatasetName = None,
    clip_length: options.OwnClipLength = None,
    only: Annotated[
        Optional[Only],  # noqa: UP045
        typer.Option("--only", help="Compare only the moments or only the highlights."),
    ] = None,
    metric: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--metric", help="Metric that decides which queries are won and lost."),
    ] = None,
    confidence: Annotated[
        float,
        typer.Option("--confidence", min=0.5, max=0.999, help="Confidence level of the intervals."),
    ] = 0.95,
    resamples: Annotated[
        int,
        typer.Option(
            "--resamples",
            min=100,
            max=1_000_000,
            help="Number of resamples of the bootstrap and of the permutation test.",
        ),
    ] = 10_000,
    seed: scoring_options.Seed = 0,
    top: Annotated[
        int,
        typer.Option(
            "--top", min=0, max=10_000, help="Number of queries to list, largest difference first."
        ),
    ] = 20,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--html", help="Write a web page with the queries that differ most."),
    ] = None,
    only_qids: options.OnlyQids = None,
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Compare prediction files query by query.

    Each file is compared with the first file. For every metric, the difference is shown with its
    bootstrap interval and the p-value of a permutation test. The queries that the file wins and
    loses are counted and listed.
    """
    from rdmf_cli import api
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.report import say
    from rdmf_cli.outputs.comparison_table import ComparisonTables

    made = api.compare(
        predictions,
        ground_truth,
        dataset=dataset,
        only=only.value if only else None,
        metric=metric,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        top=top,
        clip_length=clip_length,
        only_qids=only_qids,
        skip_bad=skip_bad,
        html=html,
        force=force,
    )
    for note in made.notes:
        say("note", note)
    print_result(made, as_json, ComparisonTables)
