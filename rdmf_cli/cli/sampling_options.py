"""The options that choose which frames are decoded and encoded."""

from __future__ import annotations

from typing import Annotated

import typer

from rdmf_cli.cli.options import choice
from rdmf_cli.video.samplings import SAMPLINGS

Sampling = Annotated[str, choice(SAMPLINGS, "--sampling", "The frame of each clip.")]
Still = Annotated[
    float,
    typer.Option(
        "--still",
        min=0,
        max=255,
        help="For a fixed camera: a frame shares the features of the last encoded frame if each "
        "part "
        "differs by at most this number of levels (of 255); 0: every frame is encoded.",
    ),
]
