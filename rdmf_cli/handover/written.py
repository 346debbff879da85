"""The record of a video file that `rdmf cut` wrote. This module does not import PyAV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NAME = "{stem}_{rank}.mp4"
"""The default name of a moment's file."""


@dataclass(frozen=True)
class Cut:
    """A video file that was written.

    Attributes:
        path: The file.
        start: Start of its first frame in the original video, in seconds, as a player shows time.
        end: End of its last frame in the original video, in seconds.
        notes: Notes for the user, one sentence each.
    """

    path: Path
    start: float
    end: float
    notes: tuple[str, ...] = ()
