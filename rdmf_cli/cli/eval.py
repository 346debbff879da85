"""rdmf eval: score predictions by the protocols of the field."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import feature_options, options, scoring_options
from rdmf_cli.errors import UsageError


class Only(str, Enum):
    """List what can be scored."""

    moments = "moments"
    highlights = "highlights"


class Outside(str, Enum):
    """List the ways to treat windows that reach outside their video."""

    refuse = "refuse"
    keep = "keep"
    cut = "cut"


def eval_(
    predictions: Annotated[
        Optional[list[Path]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Option("--predictions", help="Prediction file (JSON Lines)."),
    ] = None,
    ground_truth: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--ground-truth",
            "--annotations",
            help="Annotation file of the benchmark; with --features or --videos by default "
            "FOLDER/SPLIT.jsonl.",
        ),
    ] = None,
    dataset: scoring_options.DatasetName = None,
    features: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--features", help="Predict from the features in this folder (video/, text/)."
        ),
    ] = None,
    streams: feature_options.Streams = None,
    text: feature_options.Text = None,
    videos: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--videos", help="Predict from the videos in this folder."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Split to score.")] = "val",
    encoder: options.EncoderName = "auto",
    clip_length: options.OwnClipLength = None,
    device: options.Device = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    submission: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--submission", help="Write the predictions of the head to this file."),
    ] = None,
    only: Annotated[
        Optional[Only],  # noqa: UP045
        typer.Option("--only", help="Score only the moments or only the highlights."),
    ] = None,
    legacy: Annotated[
        bool,
        typer.Option(
            "--legacy",
            help="Rules of 2D-TAN: suppression, then IoU above the threshold (not equal).",
        ),
    ] = False,
    nms: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--nms",
            min=0,
            max=1,
            help="With --legacy: remove windows with an IoU above this with a better window.",
        ),
    ] = None,
    round_to: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--round-to", min=0.001, help="Round windows to multiples of this many seconds."
        ),
    ] = None,
    outside: Annotated[
        Outside,
        typer.Option("--outside", help="How to treat windows that reach outside their video."),
    ] = Outside.refuse,
    only_qids: options.OnlyQids = None,
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--csv", help="Write one row per query to this file."),
    ] = None,
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Score predictions by the protocol of the benchmark.

    Predictions are read from --predictions, or a head makes them from --features or --videos.
    """
    from rdmf_cli.api import evaluate
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.progress import feature_progress
    from rdmf_cli.cli.report import say
    from rdmf_cli.outputs.scores import ScoreTables

    if predictions and len(predictions) > 1:
        raise UsageError("given twice", "--predictions", "score one file at a time")
    with feature_progress() as progress:
        scored = evaluate(
            predictions[0] if predictions else None,
            ground_truth,
            dataset=dataset,
            features=features,
            streams=feature_options.names(streams),
            text=text,
            videos=videos,
            split=split,
            encoder=encoder,
            clip_length=clip_length,
            device=device,
            head=head,
            checkpoint=checkpoint,
            submission=submission,
            only=only.value if only else None,
            legacy=legacy,
            nms=nms,
            round_to=round_to,
            outside=outside.value,
            skip_bad=skip_bad,
            only_qids=only_qids,
            csv=csv,
            force=force,
            progress=progress,
        )
    for note in scored.notes:
        say("note", note)
    if as_json or scored.brief:  # a blind split has no scores to show
        print_result(scored, as_json, ScoreTables)
