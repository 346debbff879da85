"""Speech added to the reading of a head.

The head answers from the pictures alone. Then the fusion runs with speech as its third field
(`fusion.speech`), once on this video and once on a video that shows nothing. If a line adds more
activator v on this video than on the other video, the pictures support the line. A line that
answers the query becomes a moment with the start and end of the line. But if the line is said
during the best shown moment, it raises the score of that moment instead. Without speech the reading
of the head does not change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.change import edge_weights
from rdmf_cli.channels.question import Question
from rdmf_cli.channels.similarity import standardise
from rdmf_cli.channels.speech import Speech
from rdmf_cli.fusion.speech import SpeechRates, evolve_with_speech
from rdmf_cli.heads.training_free.field import match, reaction_rates
from rdmf_cli.heads.training_free.rates import FusionRates, load_rates
from rdmf_cli.moments.reading import Reading
from rdmf_cli.moments.types import Quote

Floats = npt.NDArray[np.float64]

RATES: Final = SpeechRates(g=0.3, sigma=0.1)
"""Rates of the speech per step.

All numbers here were chosen on the even pairs of benchmarks/subtitles_pairs.tsv.
"""

LEAST_CHANCE: Final = 0.05
"""A line makes no moment if its probability of answering the query is lower than this."""

GAP: Final = 1.5
"""Two lines at most this many seconds apart are said without a break."""

IOU_OF_LINE: Final = 0.9
"""Expected IoU of a line with the answer, if the line answers the query."""

COVERED: Final = 0.5
"""If a shown moment covers at least this share of a line, the line belongs to the moment."""

OF_PRESENCE: Final = 0.75
PICTURES_FIRST: Final = 1.0
"""Factor and offset of the log-odds of presence, for the rank of shown moments among lines.

Presence is often low although the query is shown, so a line must be likelier than the presence
says.
"""

MOST_GAIN: Final = 4.0
"""Largest support of a line by the pictures."""

QUOTED: Final = 0.5
"""A longer moment quotes a line if the line answers the query with at least this probability."""

MOST_QUOTES: Final = 5
"""Largest number of lines that one moment quotes; the likeliest lines are taken."""

LEAST: Final = 1e-9


def with_speech(reading: Reading, question: Question, top_k: int) -> Reading:
    """Add the speech to the reading of a head. Without speech the reading does not change.

    Args:
        reading: The reading of the head, from the pictures alone.
        question: The question that the head answered.
        top_k: Largest number of moments.

    Returns:
        A reading. Its presence is the probability that the query is shown or said. Its scores are
        the expected IoUs if the query is shown or said.
    """
    speech = question.speech
    if speech is None or not len(speech):
        return reading
    supported = replace(speech, chances=_supported(question, speech))
    said = float(supported.chances.max())
    presence = 1.0 - (1.0 - reading.presence) * (1.0 - said)
    trusted = _trusted(reading.presence)
    either = max(1.0 - (1.0 - trusted) * (1.0 - said), LEAST)
    shown = _Moments(reading.spans, reading.raw_scores * (trusted / either))
    moments = _joined(shown, _spoken(supported, either), top_k)
    chance = 1.0 - (1.0 - reading.saliency) * (
        1.0 - supported.on_clips(question.clip_length, len(question))
    )
    inside = np.clip(chance, LEAST, 1.0 - LEAST)
    lit = chance > reading.saliency
    return replace(
        reading,
        spans=moments.spans,
        scores=np.clip(moments.scores, 0.0, 1.0),
        raw_scores=moments.scores,
        saliency=chance,
        saliency_raw=np.where(lit, np.log(inside / (1.0 - inside)), reading.saliency_raw),
        presence=presence,
    )


def _trusted(presence: float) -> float:
    """Return the weight of the pictures when a line competes with them."""
    bounded = min(max(presence, LEAST), 1.0 - LEAST)
    log_odds = OF_PRESENCE * math.log(bounded / (1.0 - bounded)) + PICTURES_FIRST
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))


@dataclass(frozen=True)
class _Moments:
    spans: np.ndarray  # (K, 2) seconds
    scores: np.ndarray  # (K,)

    def then(self, others: _Moments) -> _Moments:
        return _Moments(
            np.concatenate([self.spans.reshape(-1, 2), others.spans]),
            np.concatenate([self.scores, others.scores]),
        )


def _supported(question: Question, speech: Speech) -> Floats:
    """Return the probability of each line (N,), raised by the support of the pictures.

    The support is what speech adds to v, summed over the channels: on this video, as a multiple of
    what speech adds on a video that shows nothing of the query.
    """
    if not question.has_similarity:
        return speech.chances
    rates, length, clips = _rates(), question.clip_length, len(question)
    mask = np.ones(clips, dtype=bool)
    z = standardise(question.similarity.astype(np.float64), mask)
    r = reaction_rates(z, mask, rates)
    v = np.broadcast_to(rates.seed * match(z, rates), r.shape)
    edges = None if rates.cut is None else edge_weights(question.change, mask, rates.cut)
    level = speech.on_clips(length, clips)

    def evolved(v: Floats, r: Floats, level: Floats) -> Floats:
        fields = evolve_with_speech(
            np.ones_like(r),
            v,
            level,
            u0=1.0,
            r=r,
            w0=level,
            rates=rates.rates,
            speech=RATES,
            steps=rates.steps,
            edges=edges,
            dilations=rates.dilations,
        )
        return np.asarray(fields.v)

    here = (evolved(v, r, level) - evolved(v, r, np.zeros(clips))).sum(axis=0)
    none = np.zeros_like(r)
    nothing = evolved(none, none, level).sum(axis=0)  # without speech, v stays 0 there
    gains = np.divide(here, nothing, out=np.ones_like(here), where=nothing > LEAST)
    gain = np.array([gains[speech.clips_of(n, length, clips)].mean() for n in range(len(speech))])
    return np.asarray(1.0 - (1.0 - speech.chances) ** np.clip(gain, 1.0, MOST_GAIN))


@lru_cache(maxsize=1)
def _rates() -> FusionRates:
    return load_rates().fusion


def _spoken(speech: Speech, presence: float) -> _Moments:
    """Return the moments made of lines; neighbouring lines that answer make one moment."""
    kept = np.flatnonzero(speech.chances >= LEAST_CHANCE)
    spans: list[list[float]] = []
    scores: list[float] = []
    for line in kept:
        start, end, chance = (x[line] for x in (speech.starts, speech.ends, speech.chances))
        score = IOU_OF_LINE * float(chance) / presence
        goes_on = spans and start - spans[-1][1] <= GAP
        if goes_on and min(chance, scores[-1] * presence / IOU_OF_LINE) >= 0.5:
            spans[-1][1] = max(spans[-1][1], end)
            scores[-1] = max(scores[-1], score)
        else:
            spans.append([start, end])
            scores.append(score)
    return _Moments(np.array(spans).reshape(-1, 2), np.array(scores))


def _joined(shown: _Moments, said: _Moments, top_k: int) -> _Moments:
    """Join the moments, best first. A line during the best shown moment raises its score."""
    scores, alone = shown.scores.copy(), []
    covered = _covered(said.spans, shown.spans[0]) if len(scores) else np.zeros(len(said.scores))
    for n, score in enumerate(said.scores):
        if covered[n] >= COVERED and scores[0] >= score:
            scores[0] = 1.0 - (1.0 - min(scores[0], 1.0)) * (1.0 - min(score, 1.0))
        else:
            alone.append(n)
    both = _Moments(shown.spans, scores).then(_Moments(said.spans[alone], said.scores[alone]))
    best = np.argsort(-both.scores, kind="stable")[:top_k]
    return _Moments(both.spans[best], both.scores[best])


def _covered(lines: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Return the share of each line (N, 2) that a span covers."""
    common = np.minimum(lines[:, 1], span[1]) - np.maximum(lines[:, 0], span[0])
    return np.asarray(np.maximum(common, 0.0) / np.maximum(lines[:, 1] - lines[:, 0], LEAST))


def quotes(speech: Speech | None, span: tuple[float, float], offset: float) -> tuple[Quote, ...]:
    """Quote the lines of a moment that answer the query, in order of time.

    Args:
        speech: The speech of the video; None: not known.
        span: Start and end of the moment, in seconds from the first clip.
        offset: Start of the first clip, in seconds as a player shows it.
    """
    if speech is None:
        return ()
    said = [n for n in range(len(speech)) if _is_of(speech, n, span)]
    best = sorted(said, key=lambda n: -speech.chances[n])[:MOST_QUOTES]
    return tuple(
        Quote(
            start=offset + float(speech.starts[n]),
            end=offset + float(speech.ends[n]),
            text=speech.texts[n],
            chance=float(speech.chances[n]),
        )
        for n in sorted(best)
    )


def _is_of(speech: Speech, line: int, span: tuple[float, float]) -> bool:
    """Return whether to quote a line: the line answers the query, or it is the moment itself."""
    start, end = float(speech.starts[line]), float(speech.ends[line])
    common = min(end, span[1]) - max(start, span[0])
    if common < COVERED * (end - start):
        return False
    least = LEAST_CHANCE if common >= 0.9 * (span[1] - span[0]) else QUOTED
    return bool(speech.chances[line] >= least)
