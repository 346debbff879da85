"""The facts about an answer or a hit that a page shows."""

from __future__ import annotations

from dataclasses import dataclass

from rdmf_cli.library.types import Hit
from rdmf_cli.moments.types import Moment
from rdmf_cli.outputs.table import PERHAPS_NOT, PROBABLY_NOT
from rdmf_cli.text import date_and_time


@dataclass(frozen=True)
class ShownMoment:
    """Hold a moment as a page shows it.

    Attributes:
        rank: The rank of the moment, from 1.
        start: Start in seconds, as a player shows it.
        end: End in seconds, as a player shows it.
        worth: The score or the relevance in words: "score 0.83".
        frames: Addresses of the pictures of the moment, in order.
        clip: Address of a video file of this moment alone; "": the page plays the whole video.
        clip_start: The time in the whole video, in seconds, at which that video file starts.
        recorded: When the start was recorded, as text; "": unknown.
        links: (label, address) of each action that the page offers for the moment.
    """

    rank: int
    start: float
    end: float
    worth: str
    frames: tuple[str, ...] = ()
    clip: str = ""
    clip_start: float = 0.0
    recorded: str = ""
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class View:
    """Hold one video with its moments for one query.

    Attributes:
        query: The query.
        heading: The text above the video.
        video: Name of the video.
        source: Address of the video; "": no address, because the moments have clips.
        about: Facts about the answer, in words.
        unsure: Whether the video perhaps does not show the query.
        duration: Length of the video in seconds.
        moments: The moments, best first.
        saliency: One number in [0, 1] per clip; (): no curve is drawn.
        offset: Start of the first clip in seconds.
        clip_length: Seconds per clip.
        notes: Notes, one sentence each.
    """

    query: str
    heading: str
    video: str
    source: str
    about: str
    unsure: bool
    duration: float
    moments: tuple[ShownMoment, ...]
    saliency: tuple[float, ...] = ()
    offset: float = 0.0
    clip_length: float = 2.0
    notes: tuple[str, ...] = ()


def moment_of(moment: Moment, **more: object) -> ShownMoment:
    """Return a moment of an answer in the form that a page shows."""
    return shown(moment, f"score {moment.score:.2f}", **more)


def shown(moment: Moment, worth: str, **more: object) -> ShownMoment:
    """Return a moment as a page shows it, with its score or relevance in words."""
    recorded = date_and_time(moment.recorded_at) if moment.recorded_at else ""
    fields = {"rank": moment.rank, "start": moment.start, "end": moment.end, "recorded": recorded}
    return ShownMoment(**fields, worth=worth, **more)  # type: ignore[arg-type]


def presence_in_words(presence: float) -> str:
    """Write in words how likely it is that the video shows the query."""
    if presence >= PERHAPS_NOT:
        return f"presence {presence:.2f}"
    how = "probably" if presence < PROBABLY_NOT else "perhaps"
    return f"{how} not in this video (presence {presence:.2f})"


def moment_of_hit(hit: Hit) -> Moment:
    """Return the moment of a hit; its score is the relevance of the hit."""
    return Moment(
        rank=hit.rank,
        start=hit.start,
        end=hit.end,
        score=hit.relevance,
        raw_score=hit.score,
        recorded_at=hit.recorded_at,
    )
