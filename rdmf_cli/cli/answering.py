"""The functions of rdmf query: they turn its options into answers and write them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdmf_cli.outputs import FORMATS, open_writer

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher
    from rdmf_cli.api.records import Answer
    from rdmf_cli.channels.query import Term
    from rdmf_cli.outputs import Writer
    from rdmf_cli.outputs.files import AnswerFiles


Queries = Sequence["str | Sequence[Term]"]


def ask(
    searcher: Searcher, path: Path, queries: Queries, refine: bool = False, **chosen: Any
) -> list[Answer]:
    """Answer the queries on one video; print warnings and hints on stderr."""
    from rdmf_cli.channels.wording import hint
    from rdmf_cli.cli.progress import extraction_progress
    from rdmf_cli.cli.quiet import first_time
    from rdmf_cli.cli.report import say, say_warnings

    with extraction_progress(path.name) as searcher.progress:
        answers = searcher.ask(path, queries, **chosen)
    say_warnings(path, [warning for answer in answers for warning in answer.warnings])
    encoder = searcher.loaded_encoder.name
    for text in filter(None, (hint(words, encoder) for words in _sentences(queries))):
        if first_time(text):
            say("hint", text)
    if not refine:
        return answers
    from rdmf_cli.api.arguments import Part
    from rdmf_cli.handover.ends import refined

    part = Part.of(chosen.get("start"), chosen.get("end"))
    return [refined(answer, part) for answer in answers]


def _sentences(queries: Queries) -> Iterator[str]:
    """List the words of queries, without the names of pictures."""
    for query in queries:
        if isinstance(query, str):
            yield query
        else:
            yield from (term.text for term in query if term.picture is None)


def form_of(form: str | None, output: str | None) -> str:
    """Return the format of --format, otherwise of the output file's suffix, otherwise the table."""
    if form or output is None:
        return form or "table"
    from rdmf_cli.outputs.files import format_of

    return format_of(output)


def page_of(
    form: str | None, output: str | None, html: Path | None
) -> tuple[str | None, Path | None]:
    """Return the values of --output and --html: `-o page.html` means `--html page.html`.

    Raises:
        UsageError: Both options name a page, or the name of the page has fields.
    """
    from rdmf_cli.errors import UsageError
    from rdmf_cli.handover.naming import VIDEO_FIELDS, fields_of

    if form or output is None or not output.lower().endswith((".html", ".htm")):
        return output, html
    if html is not None:
        raise UsageError("is a second page beside --html", f"-o {output}", "give one of them")
    if fields_of(output, VIDEO_FIELDS):
        todo = "write a name without fields"
        raise UsageError("has fields, but one page holds all videos", f"-o {output}", todo)
    return None, Path(output.format())


def check_form(form: str, videos: list[str], output: str | None, html: Path | None = None) -> None:
    """Check that the format can hold these videos, before any work begins.

    Raises:
        UsageError: The format holds only one video, or the output needs the name of a video that
            comes from stdin.
    """
    from rdmf_cli.cli.video_names import STDIN
    from rdmf_cli.errors import UsageError
    from rdmf_cli.handover.naming import VIDEO_FIELDS, fields_of

    writer = FORMATS[form].load()
    per_video = output is not None and fields_of(output, VIDEO_FIELDS)
    if len(videos) > 1 and writer.one_video and not per_video:
        from rdmf_cli.outputs.one_video import several_videos

        raise several_videos(form)
    if STDIN in videos and (writer.reads_videos or per_video or html):
        which = "a page" if html else form
        raise UsageError(
            f"{which} must name the video file, and a video from stdin has no file",
            STDIN,
            "save the video to a file",
        )


def writer_of(form: str, output: str | None, force: bool) -> Writer | AnswerFiles:
    """Open the writer for stdout, or the writer for the files of --output."""
    from rdmf_cli.cli.report import say
    from rdmf_cli.errors import RdmfError

    if output is not None:
        from rdmf_cli.outputs.files import AnswerFiles

        return AnswerFiles(output, form, force, lambda path: say("written", str(path)))
    if sys.stdout is None:
        raise RdmfError("is closed", "stdout", "open it, or write to a file")
    return open_writer(form, sys.stdout)


def say_words(searcher: Searcher, path: Path, answers: Iterable[Answer]) -> None:
    """Print on stderr which words make the best moment of each answer stand out."""
    from rdmf_cli.cli.report import say
    from rdmf_cli.text import clock

    for answer in answers:
        if not answer.moments:
            continue
        best = answer.moments[0]
        span = f"{clock(best.start)} - {clock(best.end)}"
        shares = searcher.explain(path, answer.query, (best.start, best.end))
        words = ", ".join(f"{one.word} {one.share:+.0%}" for one in shares)
        say("note", f"{span} stands out by: {words or 'no word alone'}")
