"""Run a command of the user for each hit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rdmf_cli.children import child, find_executable
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.handover.naming import fields_of, filled
from rdmf_cli.library.types import Hit

FIELDS: Final = {
    "video": "path of the video",
    "start": "start of the moment in seconds",
    "end": "its end in seconds",
    "query": "the query",
    "relevance": "probability that the moment shows the query",
}
LONGEST_SECONDS: Final = 60.0
"""A command that runs longer is ended, because new videos wait until the command ends."""


@dataclass
class Hook:
    """Run a command for each hit, at most once per `cooldown` seconds for one query.

    >>> Hook("notify-send {query} {video}").run(hit)  # doctest: +SKIP

    Attributes:
        command: The program and its arguments, with fields in braces. No shell runs the command, so
            the name of a file cannot do harm.
        cooldown: The least number of seconds between two runs for one query.
        clock: A function that returns the present time in seconds.
    """

    command: str
    cooldown: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _ran: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the command.

        Raises:
            UsageError: The command has an unknown field, or there is no such program.
        """
        try:
            self._words = shlex.split(self.command, posix=sys.platform != "win32")
        except ValueError as error:
            raise UsageError(f"cannot be read ({error})", "--exec", "check its quotes") from error
        for word in self._words:
            fields_of(word, FIELDS)
            filled(word, dict.fromkeys(FIELDS, ""))
        program = find_executable(self._words[0]) if self._words else None
        if program is None:
            what = f"there is no program {self._words[0]!r}" if self._words else "names no program"
            raise UsageError(what, "--exec", "write a program on PATH, then its arguments")
        self._words[0] = program

    def run(self, hit: Hit) -> bool:
        """Run the command for a hit and wait until it ends; return whether the command was run.

        Raises:
            RdmfError: The command failed, or took too long.
        """
        now = self.clock()
        if now - self._ran.get(hit.query, -self.cooldown) < self.cooldown:
            return False
        self._ran[hit.query] = now
        self._run(_fields(hit))
        return True

    def _run(self, fields: Mapping[str, str]) -> None:
        words = [self._words[0], *(word.format_map(fields) for word in self._words[1:])]
        about = {f"RDMF_HIT_{name.upper()}": value for name, value in fields.items()}
        # The output of the command goes to stderr: stdout holds the hits.
        streams = {"stdin": subprocess.DEVNULL, "stdout": _stderr()}
        try:
            with child(words, env={**os.environ, **about}, **streams) as process:
                code = process.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired as error:
            todo = "let it start what takes long in the background"
            what = f"ran longer than {LONGEST_SECONDS:g} s and was ended"
            raise RdmfError(what, self.command, todo) from error
        except (OSError, ValueError) as error:
            raise RdmfError(f"cannot be run ({error})", self.command, "try it alone") from error
        if code:
            raise RdmfError(f"ended with exit code {code}", self.command, "try it alone")


def _fields(hit: Hit) -> dict[str, str]:
    return {
        "video": hit.video,
        "start": f"{hit.start:.3f}",
        "end": f"{hit.end:.3f}",
        "query": hit.query,
        "relevance": f"{hit.relevance:.3f}",
    }


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # stderr is closed, or is not a file
        return subprocess.DEVNULL
