"""The options of commands that answer queries on videos: query, search, cut."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Optional

import typer

Queries = Annotated[
    Optional[list[str]],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option("--query", "-q", help="A sentence; repeat the option for more sentences."),
]
MinScore = Annotated[
    float,
    typer.Option("--min-score", min=0, max=1, help="Leave out moments with a lower score."),
]
Subtitles = Annotated[
    str,
    typer.Option(
        "--subtitles",
        metavar="[FILE|auto|none]",
        help="Also search what is said. FILE: in this subtitle file; auto: in a file with the "
        "video's "
        "name beside it, or a track inside it; none: search only the pictures.",
    ),
]
Transcribe = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--transcribe",
        metavar="MODEL",
        help="Transcribe videos without subtitles with this faster-whisper model: a folder or a "
        "name.",
    ),
]
NameTime = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--name-time",
        metavar="PATTERN",
        help="Read from file names when a recording began, such as '%Y-%m-%d_%H-%M'.",
    ),
]
Explain = Annotated[
    bool,
    typer.Option("--explain", help="Print on stderr which words make the best moment stand out."),
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
    typer.Option(
        "--like", metavar="VIDEO@M:SS", help="Look for what this video shows at this time."
    ),
]
Add = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--add", metavar="[WEIGHT:]WHAT", help="More words or a picture to look for."),
]
Subtract = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--subtract", metavar="[WEIGHT:]WHAT", help="Words or a picture to avoid."),
]


def subtitles_of(videos: Sequence[str], subtitles: str) -> str:
    """Return the value of --subtitles; a subtitle file for several videos is an error."""
    from rdmf_cli.errors import UsageError

    if subtitles not in ("auto", "none") and (len(videos) > 1 or os.path.isdir(videos[0])):
        todo = "give one video, or use auto, which finds the file beside each video"
        raise UsageError("is a file for a single video", f"--subtitles {subtitles}", todo)
    return subtitles


def check_explain(explain: bool, mixed: bool) -> None:
    """Refuse --explain if the query has parts other than words."""
    from rdmf_cli.errors import UsageError

    if explain and mixed:
        todo = "leave out --image, --like, --add and --subtract"
        raise UsageError("works only for queries in words", "--explain", todo)
