"""Search for one query in many videos, in two steps.

The first step compares the query with every clip. The second step applies the head, as `rdmf query`
does, to the videos (or stretches of long videos) with the most similar clips, and ranks their
moments by relevance.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.query import QueryFeatures
from rdmf_cli.channels.question import Question
from rdmf_cli.channels.speech import Speech, content_words, speech_of
from rdmf_cli.errors import RdmfError
from rdmf_cli.features import VideoFeatures, normalise_rows
from rdmf_cli.features.said import Line, Said, SpokenFeatures
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.speech import quotes, with_speech
from rdmf_cli.library.index import Index, Nearest
from rdmf_cli.library.ranking import CONVINCES, match, relevance
from rdmf_cli.library.stretches import STRETCH, WHOLE, stretches, strongest_by_group
from rdmf_cli.moments.nms import span_iou
from rdmf_cli.moments.reading import Reading
from rdmf_cli.moments.types import Quote

CANDIDATES: Final = 24
"""The number of candidates (videos, or stretches of long videos) that the head reads for a query.
A larger number does not change the first ten hits (docs/results.md, one query over many videos)."""

CLIPS_PER_CANDIDATE: Final = 64
"""The number of most similar clips per candidate; candidates are chosen from these clips."""

CLIPS_TOGETHER: Final = 8192
"""The number of clips of videos whose features are in memory at once; a longer video is alone."""

DISTINCT: Final = 0.5
"""Two moments of one video count as the same from this IoU on."""

Encode = Callable[[Sequence[Line]], npt.NDArray[np.float16]]
"""A function that returns the features (N, D) of lines of speech."""


class Collection(Protocol):
    """Videos that can be searched, numbered from 0.

    Attributes:
        index: The index of all clips; it names a video by its number.
        clips: Number of clips of each video.
    """

    @property
    def index(self) -> Index:
        """Return the index of all clips."""
        ...

    @property
    def clips(self) -> Sequence[int]:
        """Return the number of clips of each video."""
        ...

    def path(self, video: int) -> str:
        """Return the path of a video."""
        ...

    def features(self, video: int) -> VideoFeatures:
        """Return the features of a video.

        Raises:
            RdmfError: The features are missing or damaged.
        """
        ...

    def failed(self, error: RdmfError) -> None:
        """Report the error of a video, so that the other videos are searched, or raise it."""
        ...

    def spoken(self, video: int) -> Said:
        """Return what is said in a video."""
        ...

    def saying(self, words: Iterable[str], count: int) -> Sequence[int]:
        """Return the videos that say any of the words; look at the best `count` lines."""
        ...


@dataclass(frozen=True)
class Found:
    """A moment in one of the videos that were searched.

    Attributes:
        video: Path of the video.
        start: Start in seconds, as a player shows it.
        end: End in seconds, as a player shows it.
        relevance: Probability that the moment shows the query, in [0, 1]. It ranks the moments.
        presence: Probability that the query is anywhere in the video (or this stretch), in [0, 1].
        score: Expected IoU of the span, if the query is there, in [0, 1].
        duration: Length of the video in seconds.
        said: Lines said in the moment that answer the query.
        recorded: `recorded` of the features of the video.
    """

    video: str
    start: float
    end: float
    relevance: float
    presence: float
    score: float
    duration: float
    said: tuple[Quote, ...] = ()
    recorded: str | None = None

    @property
    def convinces(self) -> bool:
        """Whether the moment probably shows the query: relevance is at least CONVINCES."""
        return self.relevance >= CONVINCES


class Candidate(NamedTuple):
    """A stretch of clips of one video."""

    video: int
    stretch: slice


class _Asked(NamedTuple):
    """The question on a video, or on a stretch of it.

    Attributes:
        path: Path of the video.
        features: Features of the whole video.
        question: The question.
        end: End of the pictures of the video, in seconds of a player.
        first: The first clip of the stretch.
    """

    path: str
    features: VideoFeatures
    question: Question
    end: float
    first: int = 0

    def part(self, stretch: slice) -> _Asked:
        """Return the question on a stretch of the video."""
        if (stretch.start, stretch.stop) == (0, len(self.question)):
            return self
        return self._replace(question=self.question.part(stretch), first=stretch.start)


class _Read(NamedTuple):
    """A moment; `cut`: whether it touches a border of its stretch inside the video.

    A cut moment may be incomplete. Stretches overlap by half, so a neighbouring stretch often
    contains the whole moment.
    """

    found: Found
    cut: bool


@dataclass(frozen=True)
class Limits:
    """How much a search reads and lists.

    Attributes:
        top_k: Maximum number of moments.
        per_video: Maximum number of moments per video.
        min_presence: Leave out moments with a lower presence.
        candidates: Number of videos, or stretches of long videos, that the head reads; at least
            `top_k` are read. None: all.
    """

    top_k: int = 10
    per_video: int = 1
    min_presence: float = 0.0
    candidates: int | None = CANDIDATES

    @property
    def read(self) -> int | None:
        """The number of candidates that the head reads; None: all."""
        return None if self.candidates is None else max(self.candidates, self.top_k)


USUAL = Limits()


def search(
    collection: Collection,
    query: QueryFeatures,
    head: Head,
    limits: Limits = USUAL,
    encode: Encode | None = None,
) -> list[Found]:
    """Find the moments that show a query in many videos, the most relevant first.

    Args:
        collection: The videos.
        query: The query.
        head: The head that reads the candidates.
        limits: How many candidates are read and how many hits are listed.
        encode: A function that returns the features of lines; None: what is said is not searched.

    Raises:
        RdmfError: The features of a video are damaged, and `collection.failed` raises the error.
    """
    by_video: dict[int, list[slice]] = defaultdict(list)
    for candidate in choose_candidates(collection, query, limits.read):
        by_video[candidate.video].append(candidate.stretch)
    if encode is not None and limits.candidates is not None:
        for video in collection.saying(content_words(query.text), limits.candidates):
            if video not in by_video:
                by_video[video] = stretches(collection.clips[video])
    kept: list[Found] = []
    for some in _together(by_video, collection.clips):
        asked: list[_Asked] = []
        for video in some:
            try:
                about = _asked(collection, video, query, encode)  # once per video: it may be long
            except RdmfError as error:
                collection.failed(error)
                continue
            asked += [about.part(stretch) for stretch in by_video[video]]
        read = _read(asked, query, head, limits.per_video)
        for _, moments in itertools.groupby(read, key=lambda one: one.found.video):
            kept += _distinct(moments)[: limits.per_video]
    present = (one for one in kept if one.presence >= limits.min_presence)
    return sorted(present, key=_rank)[: limits.top_k]


def _together(videos: Iterable[int], clips: Sequence[int]) -> Iterator[list[int]]:
    """Divide videos into groups that the head reads together, with bounded memory."""
    some: list[int] = []
    for video in videos:
        if some and sum(clips[one] for one in some) + clips[video] > CLIPS_TOGETHER:
            yield some
            some = []
        some.append(video)
    if some:
        yield some


def choose_candidates(
    collection: Collection, query: QueryFeatures, count: int | None
) -> list[Candidate]:
    """Choose the videos or stretches that contain the clips most similar to the query.

    Args:
        collection: The videos.
        query: The query.
        count: Maximum number of candidates; None: all videos and stretches.
    """
    every = sum(len(stretches(clips)) for clips in collection.clips)
    if count is None or every <= count:
        numbered = enumerate(collection.clips)
        return [Candidate(video, part) for video, n in numbered for part in stretches(n) if n]
    nearest = collection.index.nearest(query.sentence, CLIPS_PER_CANDIDATE * count)
    return _of_nearest(nearest, collection.clips, count)


def _of_nearest(nearest: Nearest, clips: Sequence[int], count: int) -> list[Candidate]:
    """Choose the stretches with the most similar clips.

    A clip of a long video is in two stretches; it counts only for the stretch whose middle is
    nearer.
    """
    lengths = np.array([clips[video] for video in nearest.video.tolist()], np.int64)
    hop = STRETCH // 2
    last = np.where(lengths <= WHOLE, 0, np.maximum(-(-lengths // hop) - 2, 0))
    stretch = np.clip((nearest.clip - hop // 2) // hop, 0, last)
    pairs = np.stack([nearest.video, stretch], axis=1)
    found, group = np.unique(pairs, axis=0, return_inverse=True)
    strongest = strongest_by_group(nearest.cosine, group.reshape(-1), len(found))
    order = np.argsort(-strongest, kind="stable")[:count]
    return [Candidate(int(v), stretches(clips[int(v)])[int(part)]) for v, part in found[order]]


def _asked(
    collection: Collection, video: int, query: QueryFeatures, encode: Encode | None
) -> _Asked:
    """Make the question on a whole video."""
    features = collection.features(video)
    rows = normalise_rows(features.rows)
    end = max(features.picture_end, features.offset)
    question = Question(
        rows=rows,
        sentence=query.sentence,
        matching=slice(0, rows.shape[1]),
        words=query.words,
        clip_length=features.clip_length,
        duration=max(end - features.offset, features.clip_length / 2),
        background=Background.in_video(rows, query.background),
        speech=_speech(collection.spoken(video), query, encode, features.span),
    )
    return _Asked(collection.path(video), features, question, end)


def _speech(
    said: Said, query: QueryFeatures, encode: Encode | None, part: tuple[float, float]
) -> Speech | None:
    """Match what is said with a query in words; None: nothing is said, or nothing to match."""
    if encode is None or not query.text or not said.lines:
        return None
    spoken = SpokenFeatures(said, encode(said.lines))
    return speech_of(spoken, query.text, query.sentence, query.background, part)


def _read(asked: Sequence[_Asked], query: QueryFeatures, head: Head, most: int) -> list[_Read]:
    """Apply the head to candidates; return their moments in the order of the candidates."""
    questions = [one.question for one in asked]
    shown = head.read_many(questions, top_k=most, distinct=True)
    return [
        moment
        for one, reading in zip(asked, shown, strict=True)
        for moment in _moments(one, reading, query, most)
    ]


def _moments(asked: _Asked, shown: Reading, query: QueryFeatures, most: int) -> list[_Read]:
    """Return the moments of one candidate in seconds, as a player shows time."""
    path, features, question, end, start = asked
    similarity = question.similarity
    reading = with_speech(shown, question, most)
    stretch = slice(start, start + len(question))
    borders = _inner_borders(stretch, len(features.rows), features)
    first = features.offset + start * features.clip_length
    read = []
    for span, score in zip(reading.spans, reading.scores, strict=True):
        seen = similarity[_clips(span, features.clip_length, len(similarity))]
        said = quotes(question.speech, (float(span[0]), float(span[1])), first)
        unlikely = 1.0 - relevance(match(seen, query.scale), shown.presence)
        unlikely *= 1.0 - max((quote.chance for quote in said), default=0.0)
        found = Found(
            video=path,
            start=min(first + float(span[0]), end),
            end=min(first + float(span[1]), end),
            relevance=1.0 - unlikely,
            presence=float(reading.presence),
            score=float(score),
            duration=features.duration,
            said=said,
            recorded=features.recorded,
        )
        near = features.clip_length / 2
        touches = (abs(at - side) < near for at in borders for side in (found.start, found.end))
        read.append(_Read(found, any(touches)))
    return read


def _clips(span: npt.NDArray[np.floating], clip_length: float, clips: int) -> slice:
    """Return the clips with their middle in a span (seconds), at least the clip at its start."""
    first = min(math.floor(span[0] / clip_length + 0.5), clips - 1)
    return slice(first, max(math.floor(span[1] / clip_length + 0.5), first + 1))


def _inner_borders(stretch: slice, clips: int, features: VideoFeatures) -> list[float]:
    """Return the borders of a stretch inside its video, in seconds, as a player shows time."""
    cuts = [at for at in (stretch.start, stretch.stop) if 0 < at < clips]
    return [features.offset + at * features.clip_length for at in cuts]


def _distinct(read: Iterable[_Read]) -> list[Found]:
    """Return the moments of one video, the best first, without duplicates.

    A moment cut by a border is a duplicate of any moment that covers half of it; such moments are
    considered after all other moments.
    """
    kept: list[Found] = []
    for one, cut in sorted(read, key=lambda one: (one.cut, *_rank(one.found))):
        repeats = (_share(one, o) if cut else _iou(one, o) for o in kept)
        if all(repeated < DISTINCT for repeated in repeats):
            kept.append(one)
    return sorted(kept, key=_rank)


def _share(one: Found, other: Found) -> float:
    """Return the share of one moment that the other moment covers."""
    both = min(one.end, other.end) - max(one.start, other.start)
    return max(both, 0.0) / (one.end - one.start) if one.end > one.start else 1.0


def _iou(one: Found, other: Found) -> float:
    spans = np.array([[one.start, one.end], [other.start, other.end]])
    return float(span_iou(spans[0], spans[1]))


def _rank(found: Found) -> tuple[float, float, str, float]:
    """Return the sort key: relevance, then score, then name and time, so that the order is fixed.

    Relevance depends on the clips of a moment, so a moment and a longer one around it can be equal.
    """
    return -found.relevance, -found.score, found.video, found.start
