"""Speech: how well each line that is said in a video answers a query.

One encoder encodes both the query and the line. Any two sentences have a high cosine. So the mean
of the background sentences is first subtracted from the query and from the line. The likeness of
query and line is then counted in standard deviations of the likeness of two background sentences.
So each encoder has its own unit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.similarity import LEAST_DEVIATION
from rdmf_cli.features.files import normalise_rows

if TYPE_CHECKING:
    from typing_extensions import Self

    from rdmf_cli.features.said import SpokenFeatures

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

OF_LIKENESS: Final = 2.34
OFFSET: Final = -8.26
FEW_LINES: Final = 6
"""The log-odds that a line answers a query are `OF_LIKENESS` times the likeness, plus `OFFSET`.

They were fitted on the even pairs of benchmarks/subtitles_pairs.tsv, in videos of `FEW_LINES`
lines. In a video with twice as many lines, the odds of each line are half as high.
"""

EXACT: Final = 0.95
"""Probability that a line answers a query of several words if the line holds all these words."""

EXACT_WORD: Final = 0.5
"""The same probability for a query of one word. Such a query may also ask for something shown."""

_FUNCTION_WORDS = """
a an the this that these those some any and or but of in on at to into onto from with by for as is
are was were be been am it its he she they we i you his her their our my your who which what where
when there here something someone somebody says say said about not no
"""
FUNCTION_WORDS: Final = frozenset(_FUNCTION_WORDS.split())
"""Words that say little about the subject of a query."""


@dataclass(frozen=True, eq=False)
class Speech:
    """N lines that are said in a video, and how likely each answers one query.

    Attributes:
        starts: (N,) seconds from the first clip, ascending.
        ends: (N,) seconds from the first clip.
        chances: (N,) probability that the line answers the query.
        texts: The words of the N lines.
    """

    starts: Floats
    ends: Floats
    chances: Floats
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def part(self, start: float, end: float) -> Self:
        """Return the lines that are said in a part of the video, as if the part were a whole video.

        Args:
            start: Seconds from the first clip.
            end: Seconds from the first clip.
        """
        inside = (self.ends > start) & (self.starts < end)
        return replace(
            self,
            starts=np.clip(self.starts[inside], start, end) - start,
            ends=np.clip(self.ends[inside], start, end) - start,
            chances=self.chances[inside],
            texts=tuple(self.texts[n] for n in np.flatnonzero(inside)),
        )

    def clips_of(self, line: int, clip_length: float, clips: int) -> slice:
        """Return the clips during which a line is said, at least one."""
        first = min(int(self.starts[line] / clip_length), clips - 1)
        last = int(np.ceil(self.ends[line] / clip_length))
        return slice(first, max(min(last, clips), first + 1))

    def on_clips(self, clip_length: float, clips: int) -> Floats:
        """Compute the level w0 of the fusion, per clip, from the lines.

        If a line covers a whole clip, or lies within a clip, the line counts in full on that clip.
        If line and clip overlap in part, the line counts by the larger share that the overlap has
        in the clip or in the line. If several lines overlap a clip, the best line counts.

        Returns:
            (L,) in [0, 1].
        """
        level = np.zeros(clips)
        for line in np.flatnonzero(self.chances):
            on = self.clips_of(int(line), clip_length, clips)
            borders = np.arange(on.start, on.stop + 1) * clip_length
            shared = np.minimum(borders[1:], self.ends[line])
            shared = shared - np.maximum(borders[:-1], self.starts[line])
            whole = min(clip_length, max(self.ends[line] - self.starts[line], 1e-6))
            share = np.clip(shared / whole, 0.0, 1.0)
            level[on] = np.maximum(level[on], self.chances[line] * share)
        return level


def speech_of(
    spoken: SpokenFeatures,
    text: str,
    query: Array,
    background: Array,
    part: tuple[float, float],
) -> Speech | None:
    """Match the lines that are said in a video, or in a part of a video, with a query.

    Args:
        spoken: The lines and their features.
        text: The words of the query.
        query: (D,) feature of the query, unit length.
        background: (B, D) features of the background sentences, unit length.
        part: Start of the first clip and end of the last clip, in seconds as a player shows them.

    Returns:
        The lines, with times from the first clip; None if nothing is said.
    """
    start, end = part
    lines = spoken.said.lines
    inside = [n for n, line in enumerate(lines) if line.end > start and line.start < end]
    if not inside:
        return None
    texts = tuple(lines[n].text for n in inside)
    alike = likeness(query, normalise_rows(spoken.rows[inside]), background)
    return Speech(
        starts=np.array([max(lines[n].start, start) - start for n in inside]),
        ends=np.array([min(lines[n].end, end) - start for n in inside]),
        chances=chances(alike, text, texts),
        texts=texts,
    )


def likeness(query: Array, lines: Array, background: Array) -> Floats:
    """Compare a query with lines, in standard deviations of unrelated sentences.

    Args:
        query: (D,) feature of the query, unit length.
        lines: (N, D) features of the lines, unit length.
        background: (B, D) features of the background sentences, unit length.

    Returns:
        (N,): 0 for a line that is as similar to the query as two background sentences are to each
        other on average.
    """
    mean = background.mean(axis=0)
    others = normalise_rows(background - mean)
    pairs = (others @ others.T)[~np.eye(len(others), dtype=bool)]
    level, unit = (pairs.mean(), pairs.std()) if pairs.size else (0.0, 1.0)
    cosines = normalise_rows(lines - mean) @ normalise_rows(query - mean)
    return np.asarray((cosines - level) / max(float(unit), LEAST_DEVIATION), np.float64)


def chances(likeness: Floats, text: str, lines: Sequence[str]) -> Floats:
    """Compute how likely each line answers a query.

    Args:
        likeness: (N,) result of `likeness`.
        text: The words of the query.
        lines: The words of the N lines.

    Returns:
        (N,) in [0, 1].
    """
    log_odds = OF_LIKENESS * likeness + OFFSET - np.log(max(len(lines), FEW_LINES) / FEW_LINES)
    alike: Floats = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    wanted = content_words(text)
    if not wanted:
        return alike
    chance = EXACT if len(wanted) > 1 else EXACT_WORD
    exact = np.array([wanted <= words_of(line) for line in lines], dtype=bool)
    return np.asarray(np.where(exact, np.maximum(alike, chance), alike))


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text, in lower case.

    >>> sorted(words_of("The dog's bowl, Dog!"))
    ['bowl', 'dog', 'the']
    """
    return frozenset(re.findall(r"[^\W_]+", re.sub(r"['’]s\b", "", text.casefold())))


def content_words(text: str) -> frozenset[str]:
    """Return the words of a text that are not in `FUNCTION_WORDS`: they say what it is about."""
    return words_of(text) - FUNCTION_WORDS
