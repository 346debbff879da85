"""Run a command of the user for each hit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rdmf_cli.children import child, find_executable
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.handover.naming import fields_of
from rdmf_cli.library.types import Hit
from rdmf_cli.moments.types import Answer

MOMENT_FIELDS: Final = {
    "path": "absolute path of the video",
    "video": "the same path",
    "start": "start of the moment in seconds",
    "end": "its end in seconds",
    "query": "the query",
    "rank": "rank of the moment, from 1",
    "score": "its score, from 0 to 1",
    "presence": "probability that the query is anywhere in the video",
}
FIELDS: Final = {**MOMENT_FIELDS, "relevance": "probability that the moment shows the query"}
ALONE: Final = "run this command alone to find the cause"
LONGEST_SECONDS: Final = 60.0
"""While a library is watched, a command that runs longer is ended, because new videos wait."""


class Figure(float):
    """A number that is written with three decimals, unless a format says otherwise.

    >>> f"{Figure(12)} {Figure(12):.1f}"
    '12.000 12.0'
    """

    def __format__(self, form: str) -> str:
        return super().__format__(form or ".3f")


Fields = Mapping[str, str | int | Figure]
TEXTS: Final = frozenset(("path", "video", "query"))


@dataclass
class Hook:
    """Run a command for each hit, at most once per `cooldown` seconds for one query.

    >>> Hook("notify-send {query} {video}").run(hit)  # doctest: +SKIP

    Attributes:
        command: The program and its arguments, with fields in braces; numbers take Python's
            formats ({start:.1f}). The command runs without a shell, so a file name cannot be
            executed as code.
        cooldown: The minimum number of seconds between two runs for one query.
        longest: The number of seconds after which the command is ended; None: no limit.
        known: The fields that the command may have.
        clock: A function that returns the present time in seconds.
    """

    command: str
    cooldown: float = 0.0
    longest: float | None = LONGEST_SECONDS
    known: Mapping[str, str] = field(default_factory=lambda: FIELDS)
    clock: Callable[[], float] = time.monotonic
    _ran: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the command.

        Raises:
            UsageError: The command has an unknown field or a wrong format, or there is no such
                program.
        """
        try:
            self._words = shlex.split(self.command, posix=sys.platform != "win32")
        except ValueError as error:
            raise UsageError(f"cannot be read ({error})", "--exec", "check its quotes") from error
        for word in self._words:
            fields_of(word, self.known)
            _require_formats(word, self.known)
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
        self._run(_fields_of_hit(hit))
        return True

    def failures(self, answer: Answer) -> Iterator[RdmfError]:
        """Run the command for each moment of an answer; yield the error of each failed run."""
        for fields in _fields_of_moments(answer):
            try:
                self._run(fields)
            except RdmfError as error:
                yield error

    def _run(self, fields: Fields) -> None:
        words = [self._words[0], *(word.format_map(fields) for word in self._words[1:])]
        about = {f"RDMF_HIT_{name.upper()}": f"{value}" for name, value in fields.items()}
        moment = "moment {rank} ({start} - {end} s) of {path}".format_map(fields)
        # The output of the command goes to stderr: stdout holds the hits.
        streams = {"stdin": subprocess.DEVNULL, "stdout": _stderr()}
        try:
            with child(words, env={**os.environ, **about}, **streams) as process:
                code = process.wait(self.longest)
        except subprocess.TimeoutExpired as error:
            todo = "start long work in the background"
            what = f"was ended for {moment}, because it ran longer than {self.longest:g} s"
            raise RdmfError(what, self.command, todo) from error
        except (OSError, ValueError) as error:
            raise RdmfError(f"cannot be run ({error}) for {moment}", self.command, ALONE) from error
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise RdmfError(f"ended with {how} for {moment}", self.command, ALONE)


def _require_formats(word: str, known: Mapping[str, str]) -> None:
    """Raise a UsageError if a field of an argument has a format that its value cannot have."""
    sample = {name: "" if name in TEXTS else 1 if name == "rank" else Figure(1) for name in known}
    try:
        word.format_map(sample)
    except (ValueError, LookupError, TypeError) as error:
        todo = "write fields like {path}, {rank:02d} or {start:.1f}"
        raise UsageError(f"cannot be filled in ({error})", f"--exec {word}", todo) from error


def _fields_of_hit(hit: Hit) -> Fields:
    path = _absolute(hit.video)
    return {
        "path": path,
        "video": path,
        "start": Figure(hit.start),
        "end": Figure(hit.end),
        "query": hit.query,
        "rank": hit.rank,
        "score": Figure(hit.score),
        "presence": Figure(hit.presence),
        "relevance": Figure(hit.relevance),
    }


def _fields_of_moments(answer: Answer) -> Iterator[Fields]:
    path = _absolute(answer.video)
    for moment in answer.moments:
        yield {
            "path": path,
            "video": path,
            "start": Figure(moment.start),
            "end": Figure(moment.end),
            "query": answer.query,
            "rank": moment.rank,
            "score": Figure(moment.score),
            "presence": Figure(answer.presence),
        }


def _absolute(video: str) -> str:
    """Return the absolute path, so that no program takes the file "-x.mp4" for an option."""
    return str(Path(video).absolute())


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # stderr is closed, or is not a file
        return subprocess.DEVNULL
