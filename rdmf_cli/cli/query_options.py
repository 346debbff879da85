"""The options of commands that ask a video something: query, cut."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

Queries = Annotated[
    Optional[list[str]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option("--query", "-q", help="A sentence; repeat the option for more."),
]
MinScore = Annotated[
    float,
    typer.Option("--min-score", min=0, max=1, help="Leave out moments with a lower score."),
]
Example = Annotated[
    bool, typer.Option("--example", help="Search the example video that comes with rdmf.")
]
