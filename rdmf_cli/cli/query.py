"""rdmf query: from videos and sentences to ranked moments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rdmf_cli.cli import options, query_options
from rdmf_cli.outputs import FORMATS, open_writer

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher
    from rdmf_cli.moments.types import Answer
    from rdmf_cli.outputs import Writer
    from rdmf_cli.outputs.files import AnswerFiles


def query(
    words: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar='VIDEO... "SENTENCE"...', help="Videos or folders, and sentences."),
    ] = None,
    queries: query_options.Queries = None,
    queries_file: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--queries", help="File of sentences: one per line, or JSON Lines; - for stdin."
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, help="Number of moments per sentence.")
    ] = 5,
    min_score: query_options.MinScore = 0.0,
    example: query_options.Example = False,
    refine: options.Refine = False,
    recursive: options.Recursive = False,
    clip_length: options.ClipLength = 2.0,
    start: options.Start = None,
    end: options.End = None,
    encoder: options.EncoderName = "auto",
    head: options.HeadName = "auto",
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    no_cache: options.NoCache = False,
    form: Annotated[
        Optional[str],  # noqa: UP045
        options.choice(FORMATS, "--format", "Output format; by default table, or that of -o."),
    ] = None,
    as_json: options.Json = False,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to a file; '{folder}/{stem}.srt' writes one per video, beside it.",
        ),
    ] = None,
    force: options.Force = False,
) -> None:
    """Find the moments of VIDEO that a SENTENCE describes.

    An argument that names a file or a folder is a video; the others are sentences.
    With --query or --queries all arguments are videos.
    """
    from rdmf_cli.cli import inputs
    from rdmf_cli.cli.batch import for_each_video, open_searcher

    form = _form("json" if as_json else form, output)
    videos, sentences = inputs.split_arguments(words or (), queries or (), queries_file, example)
    _require_one_video(form, videos, output)
    searcher = open_searcher(
        encoder=encoder,
        head=head,
        checkpoint=checkpoint,
        clip_length=clip_length,
        device=device,
        decoder=decoder,
        cache=not no_cache,
    )

    def work(path: Path) -> list[Answer]:
        chosen = {"top_k": top_k, "min_score": min_score, "start": start, "end": end}
        return ask(searcher, path, sentences, refine=refine, **chosen)

    with _writer(form, output, force) as writer:
        told = form == "json" and output is None
        for_each_video(videos, told, work, writer.write, recursive)


def ask(
    searcher: Searcher, path: Path, sentences: list[str], refine: bool = False, **chosen: Any
) -> list[Answer]:
    """The answers on one video; warnings go to stderr."""
    from rdmf_cli.cli.progress import extraction_progress
    from rdmf_cli.cli.report import say_warnings
    from rdmf_cli.handover.ends import refined

    with extraction_progress(path.name) as searcher.progress:
        answers = searcher.ask(path, sentences, **chosen)
    say_warnings(path, [warning for answer in answers for warning in answer.warnings])
    return [refined(answer) for answer in answers] if refine else answers


def _form(form: str | None, output: str | None) -> str:
    """The format that is asked for, that of the file's name, or the table."""
    from rdmf_cli.outputs.files import format_of

    return form or ("table" if output is None else format_of(output))


def _require_one_video(form: str, videos: list[str], output: str | None) -> None:
    """Say before any work that several videos do not go into one file of subtitles."""
    from rdmf_cli.handover.naming import VIDEO_FIELDS, fields_of
    from rdmf_cli.outputs.one_video import several_videos

    per_video = output is not None and fields_of(output, VIDEO_FIELDS)
    if len(videos) > 1 and FORMATS[form].load().one_video and not per_video:
        raise several_videos(form)


def _writer(form: str, output: str | None, force: bool) -> Writer | AnswerFiles:
    """The writer on stdout, or of the files that are asked for."""
    from rdmf_cli.cli.report import say
    from rdmf_cli.errors import RdmfError
    from rdmf_cli.outputs.files import AnswerFiles

    if output is not None:
        return AnswerFiles(output, form, force, lambda path: say("written", str(path)))
    if sys.stdout is None:
        raise RdmfError("the output is closed", "stdout", "open it, or write to a file")
    return open_writer(form, sys.stdout)
