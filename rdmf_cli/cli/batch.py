"""What query, extract and fuse share: a searcher, and a loop over videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher


def open_searcher(**chosen: Any) -> Searcher:
    """A `Searcher` with these options; which encoder "auto" took is said once per day."""
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
    """Do the work on every video and write what it gives. Ends the command.

    Whatever goes wrong with one video is that video's error: it is said, and the others go on. The
    command ends early only where it is wrong itself, or where nothing can be written any more.
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
    """Raises RdmfError that names the video; OSError where the output cannot be written."""
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
