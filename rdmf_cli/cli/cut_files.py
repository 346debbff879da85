"""Report the files that rdmf cut wrote, and end the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdmf_cli.handover.cutter import Cutter
    from rdmf_cli.handover.written import Cut


class Written:
    """Show each file: its path and notes, or a line of JSON.

    Args:
        as_json: Write JSON Lines.
    """

    def __init__(self, as_json: bool):
        self.as_json = as_json

    def show(self, cut: Cut) -> None:
        """Print the path of a file on stdout and its notes on stderr, or one line of JSON."""
        from rdmf_cli.cli.output import print_json
        from rdmf_cli.cli.report import say

        if self.as_json:
            from rdmf_cli.outputs.payloads.cutting import CutFile

            print_json([CutFile.of(cut)])
            return
        print(cut.path, flush=True)
        for note in cut.notes:
            say("note", f"{cut.path}: {note}")


@contextmanager
def ending(cutter: Cutter, written: Written) -> Iterator[None]:
    """Join the moments if the user asked for a montage, and report refusals."""
    try:
        yield
    except SystemExit:  # some videos failed, the remaining videos were cut
        _finish(cutter, written)
        raise
    _finish(cutter, written)
    cutter.require_something()


def _finish(cutter: Cutter, written: Written) -> None:
    from rdmf_cli.cli.report import say

    for refusal in cutter.refused:
        say("note", refusal)
    for cut in cutter.join():
        written.show(cut)
