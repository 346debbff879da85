"""rdmf train: a head of one's own, on a benchmark or on one's own footage."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options
from rdmf_cli.errors import ExitCode, MissingExtra, UsageError
from rdmf_cli.interrupts import leave
from rdmf_cli.training import TrainingOptions

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rdmf_cli.training.loop import Result
    from rdmf_cli.training.retrieval import RetrievalTask

DIGITS = 8
MODEL = "model"  # the folder in --out that `rdmf eval --checkpoint` takes


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
    _check_torch()
    if (features is None) == (videos is None):
        what = "cannot be given together" if features is not None else "not given"
        todo = "rdmf train --features FOLDER, or --videos FOLDER --annotations FILE"
        raise UsageError(what, "--features and --videos", todo)
    from rdmf_cli.cli.report import stderr_console
    from rdmf_cli.training.live import view_on
    from rdmf_cli.training.loop import train as run
    from rdmf_cli.training.parallel import started
    from rdmf_cli.training.state import check_own

    how = TrainingOptions(
        epochs=epochs,
        batch_size=batch_size,
        rate=rate,
        precision=precision.value,
        hold_out=hold_out,
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
        "clip_length": clip_length,
        "head": head.value,
        "fusion": fusion.value,
        "slots": slots.value,
    }
    if skip_bad:  # absent where it is off, as in trainings from before there was the option
        about["skip_bad"] = True
    folder = out or _usual_folder(about, how)
    check_own(folder)  # before the long work
    task = _task(about, how)
    result = run(task, how, folder, watcher=view_on(stderr_console()), about=about, restart=restart)
    if _answers():
        _say(result, task.save(folder / MODEL, {**about, "scores": result.scores}), as_json)
    if started() > 1:
        leave(ExitCode.ANSWERED)


def _task(about: dict[str, Any], how: TrainingOptions) -> RetrievalTask:
    """The model and its data, as `about` names them, all of it read once."""
    from rdmf_cli.cli.report import read_features, say
    from rdmf_cli.datasets import open_annotations, open_samples
    from rdmf_cli.encoders import load_encoder
    from rdmf_cli.training import background
    from rdmf_cli.training.retrieval import RetrievalTask

    dataset, annotations = open_annotations(
        about["dataset"],
        Path(about["annotations"]) if about["annotations"] else None,
        folder=Path(about["features"] or about["videos"]),
        split=about["split"],
        clip_length=about["clip_length"],
        skip_bad=about.get("skip_bad", False),
    )
    if about["features"]:
        samples = open_samples(dataset, annotations, features=about["features"])
        unrelated = background.in_folder(Path(about["features"]), samples.space.sentence)
    else:
        encoder = load_encoder(about["encoder"], how.device)
        samples = open_samples(dataset, annotations, videos=about["videos"], encoder=encoder)
        unrelated = background.by_encoder(encoder)
    read_features(samples, shown=_answers())
    if _answers():
        for note in dict.fromkeys(samples.notes):
            say("note", note)
    config = {name: about[name] for name in ("head", "fusion", "slots")}
    return RetrievalTask(samples, config, how, background=unrelated)


def _answers() -> bool:
    """Whether this process speaks: of torchrun's one does."""
    return os.environ.get("RANK", "0") == "0"


def _check_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra("training", "train") from error


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _usual_folder(about: dict[str, Any], how: TrainingOptions) -> Path:
    """runs/… by what is trained, so that the same command finds its own folder again.

    The digits at its end are those of a hash of all settings: no other command has this folder.
    """
    settings = json.dumps({**how.as_dict(), **about}, sort_keys=True)
    digits = hashlib.sha256(settings.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    words = (Path(about["dataset"]).stem, about["head"], about["fusion"], about["slots"])
    return Path("runs") / "-".join((*words, str(how.seed), digits))


def _say(result: Result, model: Path, as_json: bool) -> None:
    if as_json:
        told = {"schema": "rdmf.train/1", **asdict(result), "model": str(model)}
        typer.echo(json.dumps(told, default=str))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if result.scores:
        table = Table("held out", box=box.SIMPLE_HEAD)
        table.add_column(f"epoch {result.best_epoch} of {result.epochs}", justify="right")
        for name, value in result.scores.items():
            table.add_row(name, f"{value:.4g}")
        console.print(table)
    if rates := result.report.get("rates"):
        console.print(_rates_table(rates))
    console.print(Text(f"the head: {model}"), soft_wrap=True)


RATES = {"D_u": "D_u", "D_v": "D_v", "F": "F", "k": "k", "dt": "dt", "r_star": "r*"}


def _rates_table(rates: list[dict[str, Any]]) -> RenderableType:
    """The learned rates, medians over groups of channels, in no more than 80 columns."""
    from rich.padding import Padding
    from rich.table import Table

    table = Table("group", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for head in ("channels", *RATES.values()):
        table.add_column(head, justify="right")
    table.add_column("regime")
    table.add_column("spacing", justify="right")
    for row in rates:
        spacing = row["spacing_seconds"]
        table.add_row(
            row["group"],
            str(row["channels"]),
            *(_short(row[name]) for name in RATES),
            row["regime"],
            "–" if spacing is None else f"{spacing:.1f} s",
        )
    return Padding(table, (0, 2, 1, 2))


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"
