"""Holes: times without frames in a video, for example because the recorder paused.

A hole counts as time, so that every moment has the time that a player shows. The last frame before
a hole stands for the clips inside the hole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rdmf_cli.errors import RdmfError

if TYPE_CHECKING:
    from rdmf_cli.video.packets import Timeline

SAID_ABOVE = 60.0  # seconds; rdmf warns of longer holes
REFUSED_ABOVE = 30 * 86_400.0  # seconds; no pause is so long, so the time stamps are wrong


class Hole(NamedTuple):
    """A time without frames: its start and its length, in seconds."""

    start: float
    seconds: float


def find_holes(timeline: Timeline) -> list[Hole]:
    """Return all holes longer than SAID_ABOVE, in order."""
    base, shown = float(timeline.time_base), timeline.shown
    steps = np.diff(shown) * base
    starts = (shown - timeline.start) * base
    return [Hole(float(starts[i]), float(steps[i])) for i in np.flatnonzero(steps > SAID_ABOVE)]


def hole_warnings(timeline: Timeline) -> tuple[str, ...]:
    """Return a warning about the holes, if there are any."""
    holes = find_holes(timeline)
    if not holes:
        return ()
    longest = max(holes, key=lambda hole: hole.seconds)
    where = f"{_words(longest.seconds)} from {longest.start:.1f} s"
    kept = "this time is counted, as in a player"
    if len(holes) == 1:
        return (f"there are no frames for {where}; {kept}",)
    return (f"there are no frames in {len(holes)} stretches, the longest {where}; {kept}",)


def refuse_absurd_holes(path: Path, timeline: Timeline) -> None:
    """Check that no hole is longer than a real pause can be.

    Raises:
        RdmfError: A hole is longer than REFUSED_ABOVE.
    """
    for hole in find_holes(timeline):
        if hole.seconds > REFUSED_ABOVE:
            what = (
                f"its time stamps jump ahead by {_words(hole.seconds)} after {hole.start:.1f} s "
                f"(limit: {_words(REFUSED_ABOVE)}), so they are wrong"
            )
            raise RdmfError(what, path, "encode it again, or split it at this time")


def _words(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} seconds"
