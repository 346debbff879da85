"""What query, extract and fuse share: a searcher, and a loop over videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher


def open_searcher(**chosen: Any) -> Searcher:
    """A `Searcher` with these options; which encoder "auto" took is said on stderr."""
    from rdmf_cli.api import Searcher
    from rdmf_cli.cli.report import say

    searcher = Searcher(**chosen)
    if searcher.note:
        say("note", searcher.note)
    return searcher


def for_each_video(names: Iterable[str], as_json: bool, work: Callable[[Path], None]) -> None:
    """Do the work on every video; what fails is said, and the others go on. Ends the command."""
    from rdmf_cli.cli.inputs import expand_videos
    from rdmf_cli.cli.report import end_command, report
    from rdmf_cli.errors import RdmfError, UsageError

    failed = total = 0
    for path in expand_videos(names):
        total += 1
        try:
            if isinstance(path, RdmfError):
                raise path
            work(path)
        except UsageError:
            raise
        except RdmfError as error:
            report(error, as_json)
            failed += 1
    end_command(failed, total)
