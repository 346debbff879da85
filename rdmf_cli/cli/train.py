"""rdmf train: a head of one's own, on a benchmark or on one's own footage."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.errors import ExitCode
from rdmf_cli.interrupts import leave
from rdmf_cli.text import one_line
from rdmf_cli.training import TrainingOptions


class Head(str, Enum):
    universal = "universal"
    full = "full"


class FusionKind(str, Enum):
    reaction_diffusion = "reaction-diffusion"
    joint_attention = "joint-attention"
    cross_attention = "cross-attention"
    none = "none"
    gaussian = "gaussian"
    convolution = "convolution"


class Slots(str, Enum):
    pattern = "pattern"
    random = "random"


class Precision(str, Enum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


def train(
    dataset: Annotated[
        str,
        typer.Option("--dataset", help="A benchmark, as in `rdmf eval`; or one's own JSON Lines."),
    ] = "qvhighlights",
    features: Annotated[
        Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
        typer.Option("--features", help="Learn from features: a folder with video/, text/."),
    ] = None,
    videos: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--videos", help="Learn from videos: their folder. Features are cached."),
    ] = None,
    annotations: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--annotations", help="JSON Lines; by default FEATURES/SPLIT.jsonl."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="The part to learn from.")] = "train",
    encoder: options.EncoderName = "auto",
    clip_length: options.OwnClipLength = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--out",
            help="The folder of this training, from which it goes on when it was ended; "
            "by default one in runs/, named after what is trained.",
        ),
    ] = None,
    head: Annotated[
        Head, typer.Option("--head", help="universal serves any encoder, full the one it learnt.")
    ] = Head.universal,
    fusion: Annotated[
        FusionKind, typer.Option("--fusion", help="How the query meets the video.")
    ] = FusionKind.reaction_diffusion,
    slots: Annotated[
        Slots, typer.Option("--slots", help="Where the decoder's slots start.")
    ] = Slots.pattern,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Passes over the data.")
    ] = TrainingOptions.epochs,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Samples a step, of all processes together.")
    ] = TrainingOptions.batch_size,
    rate: Annotated[
        float, typer.Option("--rate", help="The highest learning rate.")
    ] = TrainingOptions.rate,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of all that is left to chance.")
    ] = TrainingOptions.seed,
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda, mps: where the model learns.")
    ] = TrainingOptions.device,
    precision: Annotated[
        Precision, typer.Option("--precision", help="auto: bfloat16 on GPUs, float32 elsewhere.")
    ] = Precision.auto,
    hold_out: Annotated[
        float,
        typer.Option(
            "--hold-out",
            help="Share of the videos that chooses the epoch; 0: learn from all, keep the last.",
        ),
    ] = TrainingOptions.hold_out,
    patience: Annotated[
        int,
        typer.Option("--patience", min=0, help="Stop after so many epochs without gain; 0: never."),
    ] = TrainingOptions.patience,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Begin anew in --out; what was trained there is kept until the new one has ended.",
        ),
    ] = False,
    skip_bad: options.SkipBad = False,
    as_json: options.Json = False,
) -> None:
    """Train a head; ended at any time, the same command goes on.

    On several GPUs: torchrun --nproc-per-node N -m rdmf_cli train ...
    """
    from rdmf_cli.api import train as run
    from rdmf_cli.api.training import is_main_process, started
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.report import feature_progress, say, stderr_console
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
            fusion=fusion.value,
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
            watcher=view_on(stderr_console()),
        )
    if main:
        print_result(ended, as_json, TrainingTables)
        if not as_json:
            typer.echo(one_line(f"the head: {ended.model}"))
    if started() > 1:
        leave(ExitCode.ANSWERED)
