"""The shared parts of query, extract and fuse: a searcher, and a loop over videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher


def open_searcher(**chosen: Any) -> Searcher:
    """Make a `Searcher` with these options; note once per day which encoder "auto" took."""
    from rdmf_cli.api import Searcher
    from rdmf_cli.cli.daily import say_daily
    from rdmf_cli.cli.report import say

    searcher = Searcher(**chosen)
    searcher.notify = lambda line: say("note", line)
    if searcher.note:
        say_daily(searcher.note)
    return searcher


Result = TypeVar("Result")


def for_each_video(
    names: Iterable[str],
    as_json: bool,
    work: Callable[[Path], Iterable[Result]],
    write: Callable[[Result], None],
    recursive: bool = False,
) -> None:
    """Make the results of every video, write them, and end the command.

    If a video fails, its error is printed, and the remaining videos follow. The loop stops early
    only if the command is wrong or the output cannot be written.

    Args:
        names: Videos and folders, as the user typed them.
        as_json: Also print errors on stdout, as JSON.
        work: A function that makes the results of one video.
        write: A function that writes one result.
        recursive: Include videos in the folders inside a folder.
    """
    from rdmf_cli.cli.inputs import expand_videos
    from rdmf_cli.cli.report import end_command, report
    from rdmf_cli.errors import RdmfError, UsageError

    failed = total = 0
    for path in expand_videos(names, recursive):
        total += 1
        try:
            if isinstance(path, RdmfError):
                raise path
            _answer(path, work, write)
        except UsageError:
            raise
        except RdmfError as error:
            report(error, as_json)
            failed += 1
    end_command(failed, total)


def _answer(
    path: Path, work: Callable[[Path], Iterable[Result]], write: Callable[[Result], None]
) -> None:
    """Answer one video.

    Raises:
        RdmfError: The video fails; the error names the video.
        OSError: The output cannot be written.
    """
    from rdmf_cli.errors import errors_of

    with errors_of(path):
        results = list(work(path))
    for result in results:
        try:
            write(result)
        except OSError:
            raise
        except Exception as error:
            with errors_of(path):
                raise error
