"""The record of a video that was cut out of another; this module imports no codecs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NAME = "{stem}_{rank}.mp4"
"""The default name of a moment's file."""


@dataclass(frozen=True)
class Cut:
    """A video that was written.

    Attributes:
        path: The file.
        start: Where its first frame stands in the video it was cut from, in player's seconds.
        end: Where its last frame ends there.
        notes: What a user should know, a sentence each.
    """

    path: Path
    start: float
    end: float
    notes: tuple[str, ...] = ()
