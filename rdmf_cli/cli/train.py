"""rdmf train: your own head, on a benchmark or on your own footage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.cli import training_options as how
from rdmf_cli.errors import ExitCode
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.interrupts import leave
from rdmf_cli.text import one_line
from rdmf_cli.training import TrainingOptions


def train(
    dataset: Annotated[
        str,
        options.DATASET,
    ] = "qvhighlights",
    features: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Option("--features", help="Train on features: a folder with video/ and text/."),
    ] = None,
    videos: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--videos", help="Train on videos: their folder. Features are cached."),
    ] = None,
    annotations: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--annotations", help="Annotation file; by default FOLDER/SPLIT.jsonl."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Split to train on.")] = "train",
    encoder: options.EncoderName = "auto",
    clip_length: options.OwnClipLength = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--out",
            help="Run folder; an interrupted run resumes from it. By default in runs/, named after "
            "the settings.",
        ),
    ] = None,
    head: Annotated[
        how.Head,
        typer.Option(
            "--head",
            help="universal: serves any encoder; full: also reads its encoder's embeddings.",
        ),
    ] = how.Head.universal,
    fusion: Annotated[
        str, options.choice(FUSIONS, "--fusion", "Fusion module.")
    ] = "reaction-diffusion",
    slots: Annotated[
        how.Slots,
        typer.Option(
            "--slots",
            help="Where the decoder's slots start: at the pattern or at learned anchors.",
        ),
    ] = how.Slots.pattern,
    epochs: how.Epochs = TrainingOptions.epochs,
    batch_size: how.BatchSize = TrainingOptions.batch_size,
    rate: how.Rate = TrainingOptions.rate,
    seed: how.Seed = TrainingOptions.seed,
    device: how.TrainDevice = TrainingOptions.device,
    precision: how.PrecisionName = how.Precision.auto,
    hold_out: how.HoldOut = TrainingOptions.hold_out,
    patience: how.Patience = TrainingOptions.patience,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Start again in --out; the earlier run is kept until the new one has ended.",
        ),
    ] = False,
    skip_bad: options.SkipBad = False,
    as_json: options.Json = False,
) -> None:
    """Train a head. If interrupted, run the same command again to resume.

    On several GPUs: torchrun --nproc-per-node N -m rdmf_cli train ...
    """
    from rdmf_cli.api import train as run
    from rdmf_cli.api.training import is_main_process, started
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.progress import feature_progress, stderr_console
    from rdmf_cli.cli.report import say
    from rdmf_cli.outputs.training import TrainingTables
    from rdmf_cli.outputs.training_view import view_on

    main = is_main_process()
    with feature_progress(shown=main) as progress:
        ended = run(
            dataset=dataset,
            features=features,
            videos=videos,
            annotations=annotations,
            split=split,
            encoder=encoder,
            clip_length=clip_length,
            out=out,
            head=head.value,
            fusion=fusion,
            slots=slots.value,
            epochs=epochs,
            batch_size=batch_size,
            rate=rate,
            seed=seed,
            device=device,
            precision=precision.value,
            hold_out=hold_out,
            patience=patience,
            restart=restart,
            skip_bad=skip_bad,
            progress=progress,
            notify=(lambda note: say("note", note)) if main else None,
            callback=view_on(stderr_console()),
        )
    if main:
        print_result(ended, as_json, TrainingTables)
        if not as_json:
            typer.echo(one_line(f"the head: {ended.model}"))
    if started() > 1:
        leave(ExitCode.ANSWERED)
