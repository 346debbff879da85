"""The options of rdmf train that describe how a head is trained."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from rdmf_cli.heads.learned.fusions import FUSIONS


class Head(str, Enum):
    """List what a head can read."""

    universal = "universal"
    full = "full"


class Slots(str, Enum):
    """List the spans from which the slot decoder can start."""

    pattern = "pattern"
    random = "random"


class Precision(str, Enum):
    """List the number formats of the training."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


HeadKind = Annotated[
    Head,
    typer.Option(
        "--head",
        help="universal: works with any encoder; full: also reads the features, and works only "
        "with the "
        "encoder that it is trained with.",
    ),
]
FusionName = Annotated[
    str,
    typer.Option(
        "--fusion",
        parser=lambda name: FUSIONS.find(name).name,
        metavar=f"[{'|'.join(FUSIONS)}]",
        autocompletion=lambda: list(FUSIONS),
        help=f"Fusion module. {FUSIONS.described()}.",
    ),
]
SlotKind = Annotated[
    Slots,
    typer.Option(
        "--slots",
        help="First spans of the slot decoder. pattern: from the pattern; random: learned places.",
    ),
]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="Number of epochs.")]
BatchSize = Annotated[
    int, typer.Option("--batch-size", min=1, help="Samples per training step, over all processes.")
]
Rate = Annotated[float, typer.Option("--rate", help="Highest learning rate.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed.")]
TrainDevice = Annotated[
    str, typer.Option("--device", help="Device to train on: auto, cpu, cuda, mps.")
]
PrecisionName = Annotated[
    Precision,
    typer.Option("--precision", help="Number format. auto: bfloat16 on GPUs, otherwise float32."),
]
HoldOut = Annotated[
    float,
    typer.Option(
        "--hold-out",
        help="Share of the videos held out to choose the best epoch; 0: train on all videos and "
        "keep "
        "the last epoch.",
    ),
]
Patience = Annotated[
    int,
    typer.Option(
        "--patience", min=0, help="Stop after this many epochs without a better score; 0: never."
    ),
]
