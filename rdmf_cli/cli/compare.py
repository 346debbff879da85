"""rdmf compare: are these predictions better than those?"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.errors import UsageError

USAGE = "rdmf compare A.jsonl B.jsonl --ground-truth G.jsonl [--dataset NAME]"
PAGE = "the page"


class Only(str, Enum):
    """What is compared."""

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
    ground_truth: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Option("--ground-truth", "--annotations", help="The annotations of all queries."),
    ] = None,
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--dataset", help="A benchmark, or your own annotations (JSON Lines)."),
    ] = None,
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
        float, typer.Option("--confidence", min=0.5, max=0.999, help="Of the intervals.")
    ] = 0.95,
    resamples: Annotated[
        int,
        typer.Option("--resamples", min=100, max=1_000_000, help="Of the bootstrap and the test."),
    ] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed.")] = 0,
    top: Annotated[
        int, typer.Option("--top", min=0, max=10_000, help="Queries to list, most different first.")
    ] = 20,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--html", help="Write a page with the queries that differ most."),
    ] = None,
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Compare prediction files query by query.

    Each file is compared with the first: the difference in every metric with its bootstrap
    interval and the p-value of a permutation test, and the queries it wins and loses.
    """
    from rich.console import Console

    from rdmf_cli.cli.report import say
    from rdmf_cli.evaluation import How, Options, compare_files
    from rdmf_cli.files import check_target, write_whole
    from rdmf_cli.outputs.comparison import ComparisonRecord
    from rdmf_cli.outputs.comparison_page import comparison_page
    from rdmf_cli.outputs.comparison_table import print_comparison
    from rdmf_cli.outputs.json_lines import json_line

    truth = ground_truth or (Path(dataset) if dataset and Path(dataset).suffix else None)
    if truth is None:
        raise UsageError("not given", "--ground-truth", USAGE)
    inputs = [*predictions, truth]
    if html is not None:
        check_target(html, inputs=inputs, force=force, what=PAGE)  # before the work
    comparison = compare_files(
        predictions,
        truth,
        dataset,
        Options(only=only.value if only else None),
        How(metric, confidence, resamples, seed, top),
        clip_length=clip_length,
        skip_bad=skip_bad,
    )
    record = ComparisonRecord.of(comparison)
    for note in record.notes:
        say("note", note)
    if html is not None:
        write_whole(html, comparison_page(record), inputs=inputs, force=force, what=PAGE)
    if as_json:
        typer.echo(json_line(record))
    else:
        print_comparison(record, Console(highlight=False))
