"""What query, extract and fuse begin with."""

from __future__ import annotations

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
