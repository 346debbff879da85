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
        typer.Option("--train", help="Annotations of the train split: adds a blind baseline."),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option("--threshold", min=0.1, max=1, help="IoU from which a window is right."),
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
    """Show where predicted moments fall short.

    What an oracle among the first windows would reach; what is lost to ranking, localisation,
    confusion with other queries' moments and duplicates; bias in length and position; calibration
    of the scores; and, with --train, how far the predictions are above a blind baseline.
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
