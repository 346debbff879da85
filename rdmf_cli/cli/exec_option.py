"""The option --exec of rdmf query and rdmf search: run a program for each moment."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli.video_names import STDIN

if TYPE_CHECKING:
    from rdmf_cli.errors import RdmfError
    from rdmf_cli.library.types import Hit
    from rdmf_cli.moments.types import Answer

Exec = Annotated[
    Optional[str],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option(
        "--exec",
        metavar="COMMAND",
        help="Run this for each moment; fields: {path}, {start}, {end}, {query}, {rank}, {score}, "
        "{presence}; numbers take formats: {start:.1f}.",
    ),
]


class Runs:
    """Run the command of --exec for moments; a failed run is a warning.

    Args:
        command: The value of --exec; None: nothing is run.
        videos: The videos, as the user typed them.

    Raises:
        UsageError: The command has an unknown field, there is no such program, or a video has no
            path because it comes on stdin.
    """

    def __init__(self, command: str | None, videos: Sequence[str] = ()):
        self.failed = 0
        self._hook = None
        if command is not None:
            from rdmf_cli.api.hook import MOMENT_FIELDS, Hook
            from rdmf_cli.errors import UsageError

            if STDIN in videos:
                what = "--exec names files, and a video on stdin has none"
                raise UsageError(what, STDIN, "save it")
            self._hook = Hook(command, longest=None, known=MOMENT_FIELDS)

    def after_answer(self, answer: Answer) -> None:
        """Run the command for each moment of an answer."""
        if self._hook is not None:
            _flush()
            for error in self._hook.failures(answer):
                self._warn(error)

    def after_hits(self, hits: Iterable[Hit]) -> None:
        """Run the command for each hit."""
        from rdmf_cli.errors import RdmfError

        if self._hook is not None:
            _flush()
            for hit in hits:
                try:
                    self._hook.run(hit)
                except RdmfError as error:
                    self._warn(error)

    def end(self) -> None:
        """End the command with exit code 3 if a run failed."""
        from rdmf_cli.errors import ExitCode

        if self.failed:
            sys.exit(ExitCode.SOME_INPUTS_FAILED)

    def _warn(self, error: RdmfError) -> None:
        from rdmf_cli.cli.report import say

        say("warning", str(error))
        self.failed += 1


def _flush() -> None:
    """Show the answer before the output of the command."""
    if sys.stdout is not None:
        sys.stdout.flush()
