"""The options that choose which frames are decoded and encoded."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from rdmf_cli.cli.options import choice
from rdmf_cli.video.samplings import SAMPLINGS

_STILL = typer.Option(
    "--still",
    min=0,
    max=255,
    help="For a fixed camera: a frame is not encoded if it looks like the last encoded frame: the "
    "mean colour of each small block differs by at most this much (0 to 255). 0: every frame is "
    "encoded.",
)
Sampling = Annotated[str, choice(SAMPLINGS, "--sampling", "The frame of each clip.")]
Still = Annotated[float, _STILL]

OwnSampling = Annotated[
    Optional[str],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    choice(
        SAMPLINGS, "--sampling", "The frame of each clip (default: exact, or as in the library)."
    ),
]
OwnStill = Annotated[Optional[float], _STILL]  # noqa: UP045
