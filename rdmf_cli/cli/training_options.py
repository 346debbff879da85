"""The options of rdmf train that describe how a head is trained."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from rdmf_cli.heads.learned.fusions import FUSIONS


class Head(str, Enum):
    """Name what a head reads."""

    universal = "universal"
    full = "full"


class Slots(str, Enum):
    """Name where the slots of the slot decoder start."""

    pattern = "pattern"
    random = "random"


class Precision(str, Enum):
    """Name the number format of the training."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


HeadKind = Annotated[
    Head,
    typer.Option(
        "--head",
        help="universal: serves any encoder; full: also reads its encoder's embeddings.",
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
        help="Where the decoder's slots start: at the pattern or at learned anchors.",
    ),
]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="Number of epochs.")]
BatchSize = Annotated[
    int, typer.Option("--batch-size", min=1, help="Samples per step, over all processes.")
]
Rate = Annotated[float, typer.Option("--rate", help="Highest learning rate.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed.")]
TrainDevice = Annotated[
    str, typer.Option("--device", help="Device to train on: auto, cpu, cuda, mps.")
]
PrecisionName = Annotated[
    Precision,
    typer.Option("--precision", help="Number format; auto: bfloat16 on GPUs, float32 elsewhere."),
]
HoldOut = Annotated[
    float,
    typer.Option(
        "--hold-out",
        help="Share of videos held out to choose the epoch; 0: train on all, keep the last.",
    ),
]
Patience = Annotated[
    int,
    typer.Option(
        "--patience", min=0, help="Stop after this many epochs without a better score; 0: never."
    ),
]
