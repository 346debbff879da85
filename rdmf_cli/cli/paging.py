"""Write the page of --html together with the normal output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rdmf_cli.library.types import Hit
    from rdmf_cli.moments.types import Answer
    from rdmf_cli.outputs.html.moments import MomentsPage


class Writes(Protocol):
    """Describe an object to which answers can be written."""

    def write(self, answer: Answer) -> None:
        """Write one answer."""


@contextmanager
def beside_page(
    writing: AbstractContextManager[Writes], html: Path | None, embed: bool, force: bool
) -> Iterator[Writes]:
    """Write each answer also to the page; without an error, the page file is written at the end.

    Args:
        writing: The writer of the normal output.
        html: The file of the page; None: no page.
        embed: Put small video clips into the page.
        force: Replace a file that rdmf did not write.
    """
    page = open_page(html, embed, force)
    with writing as writer:
        if page is None:
            yield writer
            return
        try:
            yield _Both(writer, page)
        except SystemExit:  # some videos failed, the remaining videos were answered
            _close(page)
            raise
        _close(page)


class _Both:
    def __init__(self, writer: Writes, page: MomentsPage):
        self._writer, self._page = writer, page

    def write(self, answer: Answer) -> None:
        self._writer.write(answer)
        self._page.write(answer)


def page_of_hits(html: Path | None, embed: bool, force: bool, hits: Sequence[Hit]) -> None:
    """Write the page of a search, if the user asked for a page."""
    page = open_page(html, embed, force)
    if page is not None:
        page.write_hits(hit for hit in hits if not hit.missing)
        _close(page, grid=True)


def open_page(html: Path | None, embed: bool, force: bool) -> MomentsPage | None:
    """Begin the page, and check that the page can be written.

    Raises:
        UsageError: --embed without --html, or the file belongs to the user.
    """
    from rdmf_cli.errors import UsageError

    if html is None:
        if embed:
            raise UsageError("needs --html", "--embed", "add --html FILE")
        return None
    from rdmf_cli.outputs.html.moments import MomentsPage

    return MomentsPage(html, embed=embed, force=force)


def _close(page: MomentsPage, grid: bool = False) -> None:
    from rdmf_cli.cli.report import say

    say("written", str(page.close(grid)))
