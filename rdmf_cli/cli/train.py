"""rdmf train: train your own head, on a benchmark or on your own videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdmf_cli.cli import feature_options as of
from rdmf_cli.cli import options
from rdmf_cli.cli import run_options as which
from rdmf_cli.cli import training_options as how
from rdmf_cli.cli.defaults import from_file
from rdmf_cli.errors import ExitCode
from rdmf_cli.interrupts import leave
from rdmf_cli.text import one_line
from rdmf_cli.training import TrainingOptions

if TYPE_CHECKING:
    from rdmf_cli.training.config import RunConfig


def train(
    context: typer.Context,
    config: which.Config = None,
    dataset: Annotated[str, options.DATASET] = "qvhighlights",
    features: which.Features = None,
    streams: of.Streams = None,
    text: of.Text = None,
    videos: which.Videos = None,
    annotations: which.TrainAnnotations = None,
    split: which.Split = "train",
    val: which.Val = None,
    encoder: options.EncoderName = "auto",
    clip_length: options.OwnClipLength = None,
    init: which.Init = None,
    out: which.Out = None,
    head: how.HeadKind = how.Head.universal,
    fusion: how.FusionName = "reaction-diffusion",
    slots: how.SlotKind = how.Slots.pattern,
    epochs: how.Epochs = TrainingOptions.epochs,
    batch_size: how.BatchSize = TrainingOptions.batch_size,
    rate: how.Rate = TrainingOptions.rate,
    seed: how.Seed = TrainingOptions.seed,
    seeds: which.Seeds = None,
    device: how.TrainDevice = TrainingOptions.device,
    precision: how.PrecisionName = how.Precision.auto,
    hold_out: how.HoldOut = TrainingOptions.hold_out,
    patience: how.Patience = TrainingOptions.patience,
    restart: which.Restart = False,
    skip_bad: options.SkipBad = False,
    wandb: which.WandB = None,
    print_config: which.PrintConfig = False,
    as_json: options.Json = False,
) -> None:
    """Train a head. If interrupted, run the same command again to resume.

    With --seeds, or a sweep in --config, it trains several heads and prints one table.

    On several GPUs: torchrun --nproc-per-node N -m rdmf_cli train ...
    """
    apart = ("context", "config", "restart", "wandb", "print_config", "as_json")
    typed = which.given(context, {k: v for k, v in locals().items() if k not in apart})
    from rdmf_cli.api.training import as_toml, run_config

    usual = {name: value for name, value in typed.items() if from_file(context, name)}
    run = run_config(config, usual, **{k: v for k, v in typed.items() if k not in usual})
    if print_config:
        typer.echo(as_toml(run), nl=False)
        return
    _train(run, restart, wandb, as_json)


def _train(run: RunConfig, restart: bool, wandb: str | None, as_json: bool) -> None:
    from rdmf_cli.api.training import is_main_process, started, sweep, train_config
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.cli.progress import feature_progress
    from rdmf_cli.cli.quiet import is_quiet
    from rdmf_cli.cli.report import say
    from rdmf_cli.outputs.terminal import stderr_console
    from rdmf_cli.outputs.training import TrainingsTable, TrainingTables
    from rdmf_cli.outputs.training_view import view_on

    main = is_main_process()
    several = bool(run.seeds or run.sweep)
    with feature_progress(shown=main) as progress:
        ways: dict[str, Any] = {
            "restart": restart,
            "progress": progress,
            "notify": (lambda note: say("note", note)) if main else None,
            "callback": view_on(stderr_console(is_quiet())),
            "wandb": wandb,
        }
        ended: Any = sweep(run, **ways) if several else train_config(run, **ways)
    if main:
        print_result(ended, as_json, TrainingsTable if several else TrainingTables)
        if not as_json:
            typer.echo(one_line(_where(ended, several)))
    if started() > 1:
        leave(ExitCode.ANSWERED)


def _where(ended: Any, several: bool) -> str:
    return f"the heads: {ended.folder}" if several else f"the head: {ended.model}"
