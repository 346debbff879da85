"""Exact ends of moments: starts and ends are moved to nearby cuts."""

from __future__ import annotations

from typing import TypeVar

from rdmf_cli.moments.types import Answer, Moment, later
from rdmf_cli.video.decoders import scan
from rdmf_cli.video.info import checked_file
from rdmf_cli.video.refine import moved_to_cuts

AnyAnswer = TypeVar("AnyAnswer", bound=Answer)
AT_THE_EDGE = 0.1  # seconds; an end of a moment this near to an end of the searched part stays


def refined(answer: AnyAnswer) -> AnyAnswer:
    """Move the ends of the moments to cuts that are at most a second away.

    Args:
        answer: The answer; its video must still exist.

    Returns:
        The same moments, scores and ranks, with new times. A moment that would become empty keeps
        its times.

    Raises:
        RdmfError: The video cannot be read.
    """
    times = sorted({time for m in answer.moments for time in (m.start, m.end)})
    inside = [time for time in times if _is_inside(time, answer)]
    if not inside:
        return answer
    found = scan(checked_file(answer.video))
    moved = dict(zip(inside, moved_to_cuts(found, inside), strict=True))
    moments = tuple(_moved(moment, moved) for moment in answer.moments)
    return answer.model_copy(update={"moments": moments})


def _is_inside(time: float, answer: Answer) -> bool:
    end = answer.offset + len(answer.saliency) * answer.clip_length
    last = min(end, answer.duration)
    return answer.offset + AT_THE_EDGE < time < last - AT_THE_EDGE


def _moved(moment: Moment, moved: dict[float, float]) -> Moment:
    start, end = moved.get(moment.start, moment.start), moved.get(moment.end, moment.end)
    if end <= start:
        return moment
    recorded_at = later(moment.recorded_at, start - moment.start)
    return moment.model_copy(update={"start": start, "end": end, "recorded_at": recorded_at})
