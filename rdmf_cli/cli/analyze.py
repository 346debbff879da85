"""rdmf analyze: where do predictions fall short?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.errors import UsageError

USAGE = "rdmf analyze P.jsonl --ground-truth G.jsonl [--dataset NAME] [--train TRAIN.jsonl]"


def analyze(
    predictions: Annotated[
        Path, typer.Argument(metavar="P.jsonl", help="A prediction file.", show_default=False)
    ],
    ground_truth: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Option("--ground-truth", "--annotations", help="The annotations of all queries."),
    ] = None,
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--dataset", help="A benchmark, or your own annotations (JSON Lines)."),
    ] = None,
    train: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--train", help="Annotations of the train split: adds a blind baseline."),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option("--threshold", min=0.1, max=1, help="IoU from which a window is right."),
    ] = 0.5,
    clip_length: options.OwnClipLength = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed.")] = 0,
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--plot", help="Draw the analysis into this file (needs matplotlib)."),
    ] = None,
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Show where predicted moments fall short.

    What an oracle among the first windows would reach; what is lost to ranking, localisation,
    confusion with other queries' moments and duplicates; bias in length and position; calibration
    of the scores; and, with --train, how far the predictions are above a blind baseline.
    """
    from rich.console import Console

    from rdmf_cli.cli.report import say
    from rdmf_cli.evaluation import How, analyze_files
    from rdmf_cli.files import check_target
    from rdmf_cli.outputs.analysis import AnalysisRecord
    from rdmf_cli.outputs.analysis_figure import WHAT, save_analysis_figure
    from rdmf_cli.outputs.analysis_table import print_analysis
    from rdmf_cli.outputs.json_lines import json_line

    truth = ground_truth or (Path(dataset) if dataset and Path(dataset).suffix else None)
    if truth is None:
        raise UsageError("not given", "--ground-truth", USAGE)
    inputs = [predictions, truth, *filter(None, [train])]
    if plot is not None:
        check_target(plot, inputs=inputs, force=force, what=WHAT)  # before the work
    analysis = analyze_files(
        predictions,
        truth,
        dataset,
        train,
        threshold=threshold,
        how=How(seed=seed),
        clip_length=clip_length,
        skip_bad=skip_bad,
    )
    record = AnalysisRecord.of(analysis)
    for note in record.notes:
        say("note", note)
    if plot is not None:
        save_analysis_figure(plot, record, inputs=tuple(inputs), force=force)
    if as_json:
        typer.echo(json_line(record))
    else:
        print_analysis(record, Console(highlight=False))
