"""Holes: stretches of a video for which it holds no frame, such as a recorder's pause.

They are kept as time, so that every moment lies where a player shows it; the frame before a hole
fills its clips.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rdmf_cli.errors import RdmfError

if TYPE_CHECKING:
    from .packets import Timeline

SAID_ABOVE = 60.0  # seconds
REFUSED_ABOVE = 30 * 86_400.0  # seconds; no pause, but times that are wrong


class Hole(NamedTuple):
    """A stretch without a frame: where it begins and how long it is, seconds."""

    start: float
    seconds: float


def find_holes(timeline: Timeline) -> list[Hole]:
    """Return the distances of neighbouring frames above SAID_ABOVE, in order."""
    base, shown = float(timeline.time_base), timeline.shown
    steps = np.diff(shown) * base
    starts = (shown - timeline.start) * base
    return [Hole(float(starts[i]), float(steps[i])) for i in np.flatnonzero(steps > SAID_ABOVE)]


def hole_warnings(timeline: Timeline) -> tuple[str, ...]:
    """Return a sentence on the holes, if there are any."""
    holes = find_holes(timeline)
    if not holes:
        return ()
    longest = max(holes, key=lambda hole: hole.seconds)
    where = f"{_words(longest.seconds)} from {longest.start:.1f} s on"
    if len(holes) == 1:
        return (f"there is no frame for {where}; the time counts",)
    return (f"there is no frame in {len(holes)} stretches, the longest {where}; the time counts",)


def refuse_absurd_holes(path: Path, timeline: Timeline) -> None:
    """Raise RdmfError, which says what is wrong, where a hole is longer than any pause."""
    for hole in find_holes(timeline):
        if hole.seconds > REFUSED_ABOVE:
            what = (
                f"its times leap {_words(hole.seconds)} ahead after {hole.start:.1f} s, "
                f"more than {_words(REFUSED_ABOVE)}"
            )
            raise RdmfError(what, path, "its time stamps are wrong: encode it again, or cut it")


def _words(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} seconds"
