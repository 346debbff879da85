"""rdmf query: from videos and sentences to ranked moments."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import options

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher
    from rdmf_cli.moments.types import Answer


class Format(str, Enum):
    table = "table"
    json = "json"
    csv = "csv"
    srt = "srt"
    vtt = "vtt"


FILE_FORMATS = (Format.csv, Format.srt, Format.vtt)


def query(
    words: Annotated[
        list[str],
        typer.Argument(metavar='VIDEO... "SENTENCE"...', help="Videos or folders, and sentences."),
    ],
    queries: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--query", "-q", help="A sentence; may be given several times."),
    ] = None,
    queries_file: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--queries", help="A file of sentences, one a line or JSONL; - for stdin."),
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="Moments to show.")] = 5,
    min_score: Annotated[
        float, typer.Option("--min-score", min=0, max=1, help="Leave out moments below it.")
    ] = 0.0,
    clip_length: options.ClipLength = 2.0,
    start: options.Start = None,
    end: options.End = None,
    encoder: options.EncoderName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    no_cache: options.NoCache = False,
    form: Annotated[Format, typer.Option("--format", help="How to answer.")] = Format.table,
    as_json: options.Json = False,
) -> None:
    """Find the moments of VIDEO that a SENTENCE describes.

    An argument that names a file or a folder is a video; the others are sentences.
    With --query or --queries all arguments are videos.
    """
    from rdmf_cli.cli import inputs
    from rdmf_cli.cli.report import end_command
    from rdmf_cli.cli.search import open_searcher

    videos, sentences = inputs.split_arguments(words, queries or (), queries_file)
    part = inputs.part(start, end)
    searcher = open_searcher(
        encoder=encoder,
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        cache=not no_cache,
    )
    write = _writer(Format.json if as_json else form)
    failed = 0
    paths = inputs.expand_videos(videos)
    for path in paths:
        answers = _ask(searcher, path, sentences, top_k, min_score, part, as_json)
        failed += answers is None
        for answer in answers or ():
            write(answer)
    end_command(failed, len(paths))


def _ask(
    searcher: Searcher,
    path: Path,
    sentences: list[str],
    top_k: int,
    min_score: float,
    part: tuple[float | None, float | None],
    as_json: bool,
) -> list[Answer] | None:
    """The answers on one video, or None after its failure has been said."""
    from rdmf_cli.cli.report import extraction_progress, report, say
    from rdmf_cli.errors import RdmfError, UsageError

    try:
        with extraction_progress(path.name) as progress:
            answers = searcher.ask(
                path,
                sentences,
                top_k=top_k,
                min_score=min_score,
                start=part[0],
                end=part[1],
                progress=progress,
            )
    except UsageError:
        raise
    except RdmfError as error:
        report(error, as_json)
        return None
    for warning in dict.fromkeys(w for a in answers for w in a.warnings):
        say("warning", f"{path}: {warning}")
    return answers


def _writer(form: Format) -> Callable[[Answer], None]:
    """Writes one answer to stdout, whole, as soon as it is there."""
    from rdmf_cli.outputs import FORMATS

    if form in FILE_FORMATS and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the terminal's: files are in UTF-8
    write: Callable[[Answer], None] = FORMATS[form.value](sys.stdout).write
    return write
