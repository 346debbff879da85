"""The options of commands that ask a video something: query, search, cut."""

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
Image = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--image", metavar="FILE", help="Look for what this picture shows."),
]
Like = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--like", metavar="VIDEO@M:SS", help="Look for what is shown at that time."),
]
Add = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--add", metavar="[WEIGHT:]WHAT", help="Words or a picture to look for as well."),
]
Subtract = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--subtract", metavar="[WEIGHT:]WHAT", help="Words or a picture to avoid."),
]
