"""The options of rdmf train that describe a run: its data, its folder, its seeds."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from rdmf_cli.cli import feature_options as options
from rdmf_cli.errors import UsageError

Config = Annotated[
    Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option(
        "--config",
        help="TOML file with settings for data, model, losses, augmentation, training, seeds and a "
        "sweep; options override the file.",
    ),
]
PrintConfig = Annotated[
    bool,
    typer.Option("--print-config", help="Print all settings as a file for --config; do not train."),
]
Features = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--features", help="Train on the features in this folder (video/, text/)."),
]
Videos = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--videos", help="Train on the videos in this folder."),
]
TrainAnnotations = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--annotations", help="Annotation file; by default FOLDER/SPLIT.jsonl."),
]
Split = Annotated[str, typer.Option("--split", help="Split to train on.")]
Val = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--val",
        metavar="FILE|SPLIT",
        help="Choose the best epoch with these annotations (a file or a split), not with "
        "--hold-out.",
    ),
]
Init = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--init",
        metavar="RUN|FILE|shipped",
        help="Start from the weights of a run, of an exported head, or of the head that is part of "
        "rdmf (shipped). For a full head, give the run: an exported full head lacks some weights.",
    ),
]
Out = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--out",
        help="Run folder; an interrupted run resumes from it. By default in runs/, named after "
        "the settings.",
    ),
]
Seeds = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--seeds",
        metavar="0,1,2",
        help="Train one head per seed, and print the mean and standard deviation of the scores.",
    ),
]
WandB = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--wandb", metavar="PROJECT", help="Also send the training curves to Weights & Biases."
    ),
]
Restart = Annotated[
    bool,
    typer.Option(
        "--restart",
        help="Start again in --out; the earlier run is kept until the new run has ended.",
    ),
]


def given(context: typer.Context, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that the user typed or set, without the defaults of options.

    So an option that the user did not type does not override the configuration file.
    """
    typed = {
        name: value.value if isinstance(value, Enum) else value
        for name, value in values.items()
        if getattr(context.get_parameter_source(name), "name", "") not in ("DEFAULT", "")
    }
    if "streams" in typed:
        typed["streams"] = options.names(typed["streams"])
    if "seeds" in typed:
        typed["seeds"] = _seeds(typed["seeds"])
    return typed


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len({*seeds}) < len(seeds):
        raise UsageError("must be different whole numbers", f"--seeds {text}", "--seeds 0,1,2")
    return seeds
