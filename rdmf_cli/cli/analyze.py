"""rdmf analyze: why do predictions miss moments?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options, scoring_options


def analyze(
    predictions: Annotated[
        Path, typer.Argument(metavar="P.jsonl", help="A prediction file.", show_default=False)
    ],
    ground_truth: scoring_options.GroundTruthFile = None,
    dataset: scoring_options.DatasetName = None,
    train: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--train", help="Annotations of the train split, for the blind baseline."),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", min=0.1, max=1, help="Lowest IoU at which a window counts as correct."
        ),
    ] = 0.5,
    clip_length: options.OwnClipLength = None,
    seed: scoring_options.Seed = 0,
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--plot", help="Draw the analysis into this file (needs matplotlib)."),
    ] = None,
    only_qids: options.OnlyQids = None,
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Show where and why predictions miss moments.

    The analysis shows the score of an oracle that picks the best of the first windows; how much is
    lost by wrong ranking, inexact ends, confusion with moments of other queries, and duplicates;
    bias in length and position; and the calibration of the scores. With --train, the predictions
    are compared with a blind baseline, which sees neither video nor query.
    """
    from rdmf_cli import api
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.report import say
    from rdmf_cli.outputs.analysis_table import AnalysisTables

    made = api.analyze(
        predictions,
        ground_truth,
        dataset=dataset,
        train=train,
        threshold=threshold,
        seed=seed,
        clip_length=clip_length,
        only_qids=only_qids,
        skip_bad=skip_bad,
        plot=plot,
        force=force,
    )
    for note in made.notes:
        say("note", note)
    print_result(made, as_json, AnalysisTables)
