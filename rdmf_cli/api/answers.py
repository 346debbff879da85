"""Make the public `Answer` from the reading of a head and the features that the head read."""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from typing import NamedTuple

from rdmf_cli.api.records import Answer, Moment
from rdmf_cli.channels.speech import Speech
from rdmf_cli.features import VideoFeatures
from rdmf_cli.moments.reading import Reading
from rdmf_cli.moments.types import Features, Quote, later
from rdmf_cli.text import valid_text

CUT_QUERY = "the query is longer than the encoder reads; its end was not considered"


class Asked(NamedTuple):
    """What was asked of a video.

    Attributes:
        video: the file, as the caller gave it.
        query: the words.
        start, end: the part of the video that moments are cut to, in seconds; None: the whole
            video.
        min_score: moments with a lower score are left out.
        was_cut: whether the query was too long, so that the encoder did not read its end.
        speech: what is said; the answer quotes the lines that answer the query.
        warnings: what is unusual about the subtitles.
        recorded: when the recording of the video began; None: unknown.
    """

    video: str | PathLike[str]
    query: str
    start: float | None = None
    end: float | None = None
    min_score: float = 0.0
    was_cut: bool = False
    speech: Speech | None = None
    warnings: tuple[str, ...] = ()
    recorded: datetime | None = None


def answer_of(
    asked: Asked,
    features: VideoFeatures,
    reading: Reading,
    head: str,
    timings: dict[str, float],
) -> Answer:
    """Make the answer of a reading.

    Args:
        asked: What was asked.
        features: The video's features.
        reading: What the head found in the features.
        head: The name of the head.
        timings: Seconds per stage, without the stages of the features.
    """
    return Answer(
        video=valid_text(str(asked.video)),
        query=valid_text(asked.query),
        duration=features.duration,
        offset=features.offset,
        clip_length=features.clip_length,
        head=head,
        presence=float(reading.presence),
        moments=_moments(asked, features, reading),
        saliency=tuple(map(float, reading.saliency)),
        saliency_raw=tuple(map(float, reading.saliency_raw)),
        features=Features(
            encoder=features.encoder,
            decoder=features.decoder,
            clips=len(features.rows),
            cached=features.cached,
            frames_decoded=features.frames_decoded,
            frames_failed=features.frames_failed,
        ),
        warnings=(
            *features.warnings,
            *asked.warnings,
            *((CUT_QUERY,) if asked.was_cut else ()),
        ),
        timings={**features.timings, **timings},
    )


def _moments(asked: Asked, features: VideoFeatures, reading: Reading) -> tuple[Moment, ...]:
    """Keep the moments that reach the minimum score, and shorten them to the requested part."""
    offset, pictures_end = features.offset, max(features.picture_end, features.offset)
    low = asked.start or 0.0
    high = features.duration if asked.end is None else min(asked.end, features.duration)
    moments: list[Moment] = []
    for span, score, raw in zip(reading.spans, reading.scores, reading.raw_scores, strict=True):
        start, end = (min(offset + float(time), pictures_end) for time in span)
        start, end = max(start, low), min(end, high)
        if score >= asked.min_score and end > start:
            rank = len(moments) + 1
            moments.append(
                Moment(
                    rank=rank,
                    start=start,
                    end=end,
                    score=float(score),
                    raw_score=float(raw),
                    said=_quotes(asked.speech, start, end, offset),
                    recorded_at=later(asked.recorded, start),
                )
            )
    return tuple(moments)


def _quotes(speech: Speech | None, start: float, end: float, offset: float) -> tuple[Quote, ...]:
    if speech is None:
        return ()
    from rdmf_cli.heads.speech import quotes  # loaded only if something is said

    return quotes(speech, (start - offset, end - offset), offset)
