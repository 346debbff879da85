"""Exact ends of moments: starts and ends are moved to nearby cuts."""

from __future__ import annotations

from typing import TypeVar

from rdmf_cli.moments.types import Answer, Moment, later
from rdmf_cli.video.decoders import scan
from rdmf_cli.video.decoders.base import Scan
from rdmf_cli.video.info import checked_file
from rdmf_cli.video.refine import WITHIN_SECONDS, Place, moved_to_cuts

AnyAnswer = TypeVar("AnyAnswer", bound=Answer)
AT_THE_EDGE = 0.1  # seconds; an end of a moment this near to an end of the searched part stays
LEAST_WITHIN = 1.0  # seconds; heads are less exact than one very short clip
Part = tuple["float | None", "float | None"]
"""Start and end of the part of a video that was searched, in seconds; None: of the video."""


def refined(answer: AnyAnswer, part: Part = (None, None)) -> AnyAnswer:
    """Move the ends of the moments to cuts that are at most a clip (one to two seconds) away.

    The beginning and the end of the video count as cuts.

    Args:
        answer: The answer; its video must still exist.
        part: The part of the video that was searched; moments stay inside the part.

    Returns:
        The same moments, scores and ranks, with new times. A moment that would become empty keeps
        its times.

    Raises:
        RdmfError: The video cannot be read.
    """
    if not answer.moments:
        return answer
    found = scan(checked_file(answer.video))
    low, high = _searched(answer, part, found)
    starts = [Place(m.start, low, high, edge=low) for m in answer.moments]
    ends = [Place(m.end, low, high, edge=high) for m in answer.moments]
    inside = sorted({p for p in (*starts, *ends) if _is_inside(p)})
    within = min(max(answer.clip_length, LEAST_WITHIN), WITHIN_SECONDS)
    moved = dict(zip(inside, moved_to_cuts(found, inside, within), strict=True))
    new = [
        _moved(moment, moved.get(start, moment.start), moved.get(end, moment.end))
        for moment, start, end in zip(answer.moments, starts, ends, strict=True)
    ]
    return answer.model_copy(update={"moments": tuple(new)})


def _searched(answer: Answer, part: Part, found: Scan) -> tuple[float, float]:
    """Return the start and end of the pictures that were searched, in seconds.

    The last clip may end before the pictures do, by half a clip at most.
    """
    first = found.info.clock.begins
    last = first + found.info.duration
    end = answer.offset + len(answer.saliency) * answer.clip_length
    low = max(answer.offset, first, part[0] or 0.0)
    whole = not answer.saliency or last - end <= answer.clip_length / 2  # a hit has no saliency
    high = last if whole else end
    return low, high if part[1] is None else min(high, part[1])


def _is_inside(place: Place) -> bool:
    return place.low + AT_THE_EDGE < place.time < place.high - AT_THE_EDGE


def _moved(moment: Moment, start: float, end: float) -> Moment:
    if end <= start:
        return moment
    recorded_at = later(moment.recorded_at, start - moment.start)
    return moment.model_copy(update={"start": start, "end": end, "recorded_at": recorded_at})
