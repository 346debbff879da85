"""rdmf train: a head of one's own, on a benchmark or on one's own footage."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.errors import MissingExtra, UsageError
from rdmf_cli.training import TrainingOptions

if TYPE_CHECKING:
    from rdmf_cli.training.loop import Result
    from rdmf_cli.training.task import Task


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
        Precision, typer.Option("--precision", help="auto: bfloat16 where that is faster.")
    ] = Precision.auto,
    patience: Annotated[
        int,
        typer.Option("--patience", min=0, help="Stop after so many epochs without gain; 0: never."),
    ] = TrainingOptions.patience,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove what was trained in --out, and begin anew.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Train a head; ended at any time, the same command goes on.

    On several GPUs: torchrun --nproc-per-node N -m rdmf_cli train ...
    """
    _check_torch()
    if (features is None) == (videos is None):
        what = "cannot be given together" if features is not None else "not given"
        todo = "rdmf train --features FOLDER, or --videos FOLDER --annotations FILE"
        raise UsageError(what, "--features and --videos", todo)
    from rdmf_cli.cli.report import stderr_console
    from rdmf_cli.training.live import view_on
    from rdmf_cli.training.loop import train as run
    from rdmf_cli.training.seeds import seed_everything

    how = TrainingOptions(
        epochs=epochs,
        batch_size=batch_size,
        rate=rate,
        precision=precision.value,
        patience=patience,
        seed=seed,
        device=device,
    )
    about = {
        "dataset": dataset,
        "features": _name(features),
        "videos": _name(videos),
        "annotations": _name(annotations),
        "split": split,
        "encoder": encoder,
        "head": head.value,
        "fusion": fusion.value,
        "slots": slots.value,
    }
    folder = out or _usual_folder(about, seed)
    seed_everything(seed)  # the model's first weights
    task = _task(about, how)
    result = run(task, how, folder, watcher=view_on(stderr_console()), about=about, restart=restart)
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes one answers
        _say(result, as_json)


def _task(about: dict[str, Any], how: TrainingOptions) -> Task:
    """The model and its data, as `about` names them."""
    from rdmf_cli.datasets import open_annotations, open_samples
    from rdmf_cli.training.retrieval import RetrievalTask

    dataset, annotations = open_annotations(
        about["dataset"],
        Path(about["annotations"]) if about["annotations"] else None,
        folder=Path(about["features"] or about["videos"]),
        split=about["split"],
    )
    samples = open_samples(
        dataset,
        annotations,
        features=about["features"],
        videos=about["videos"],
        encoder=about["encoder"],
        device=how.device,
    )
    config = {name: about[name] for name in ("head", "fusion", "slots")}
    return RetrievalTask(samples, config, how)


def _check_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra("training", "train") from error


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _usual_folder(about: dict[str, Any], seed: int) -> Path:
    """runs/… by what is trained, so that the same command finds its own folder again."""
    words = (Path(about["dataset"]).stem, about["head"], about["fusion"], about["slots"], str(seed))
    return Path("runs") / "-".join(words)


def _say(result: Result, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"schema": "rdmf.train/1", **asdict(result)}, default=str))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table("held out", box=box.SIMPLE_HEAD)
    table.add_column(f"epoch {result.best_epoch} of {result.epochs}", justify="right")
    for name, value in result.scores.items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)
    console.print(Text(f"the best weights: {result.checkpoint}"), soft_wrap=True)
