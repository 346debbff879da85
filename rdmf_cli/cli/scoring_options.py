"""The options of commands that score prediction files: eval, compare, analyze."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options

GroundTruthFile = Annotated[
    Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option("--ground-truth", "--annotations", help="Annotation file with all queries."),
]
DatasetName = Annotated[
    Optional[str],  # noqa: UP045
    options.DATASET,
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed.")]
