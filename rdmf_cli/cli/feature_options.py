"""The options that choose features from a folder."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

Streams = Annotated[
    Optional[str],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option(
        "--streams",
        metavar="A,B",
        help="Streams of video features to read, in this order; by default all known streams.",
    ),
]
Text = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--text", metavar="NAME", help="Folder or file with the features of the queries."),
]


def names(text: str | None) -> list[str] | None:
    """Split names at commas; None stays None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
