"""The head without a learned network: similarity → reaction-diffusion → level sets → ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np

from rdmf_cli.channels.background import Background, strongest
from rdmf_cli.channels.question import FeatureSpace, Question
from rdmf_cli.channels.similarity import coherence_of_best, standardise
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.heads.training_free.field import curves, fuse, reaction_rates
from rdmf_cli.heads.training_free.ranking import describe, predicted_iou
from rdmf_cli.heads.training_free.rates import PresenceRates, TrainingFreeRates, load_rates
from rdmf_cli.moments import Reading
from rdmf_cli.moments.nms import Penalty, suppress
from rdmf_cli.moments.pattern import level_sets


@dataclass(frozen=True)
class SimilarityCurve:
    """The similarity of the clips of one video to one query.

    Attributes:
        similarity: (L,) cosine of each clip and the query.
        change: (L - 1,) visual change (1 - cosine) from clip to clip; None: not known.
        clip_length: length of a clip in seconds.
        duration: latest end of a span in seconds; None: the end of the last clip.
        mask: (L,) False at clips to ignore; None: all clips are real. Clips whose similarity is not
            finite are ignored, too.
    """

    similarity: np.ndarray
    change: np.ndarray | None = None
    _: KW_ONLY
    clip_length: float
    duration: float | None = None
    mask: np.ndarray | None = None


class TrainingFree:
    """The training-free head. The fitted rates work with the similarities of any encoder.

    >>> head = TrainingFree.load()
    >>> head.read(question).spans  # (K, 2) seconds
    """

    name = "training-free"

    def __init__(self, rates: TrainingFreeRates):
        self.rates = rates

    @classmethod
    def load(cls, path: Path | None = None, store: FeatureStore | None = None) -> TrainingFree:
        """Load the rates of a file; None: the rates that are part of rdmf. `store` is not used.

        Raises:
            RdmfError: the file is missing, or it holds no rates.
        """
        return cls(load_rates(path))

    @property
    def description(self) -> str:
        """The name, which all training-free heads share."""
        return self.name

    def require(self, space: FeatureSpace, path: Path | None = None) -> None:
        """Accept any features: the head reads only similarity and visual change."""

    def read(
        self,
        question: Question,
        *,
        top_k: int = 10,
        distinct: bool = False,
        trace: bool = False,
    ) -> Reading:
        """Answer one question; see `Head.read`.

        Args:
            question: one query on one video of L clips.
            top_k: largest number of moments.
            distinct: has no effect; the moments of this head are always distinct.
            trace: keep u and v over pseudo-time in the reading.

        Raises:
            RdmfError: clips and sentence lie in different spaces.
        """
        curve = SimilarityCurve(
            question.similarity,
            question.change,
            clip_length=question.clip_length,
            duration=question.duration,
        )
        background = question.background
        return self.read_similarity(curve, background=background, top_k=top_k, trace=trace)

    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        """Answer several questions; the readings have the order of the questions."""
        return [self.read(question, top_k=top_k, distinct=distinct) for question in questions]

    def read_similarity(
        self,
        curve: SimilarityCurve,
        *,
        background: Background | None = None,
        top_k: int = 10,
        trace: bool = False,
    ) -> Reading:
        """Find the moments of one video that match one query, from similarities.

        Args:
            curve: the similarity of the video's clips and the query.
            background: makes presence comparable between videos; without it only the curve's shape
                counts.
            top_k: largest number of moments.
            trace: keep u and v over pseudo-time in the reading.

        Raises:
            RdmfError: the shapes do not fit together.
        """
        clips = _Clips.of(curve.similarity, curve.change, curve.mask)
        z = standardise(clips.similarity, clips.mask)
        history = fuse(z, clips.change, clips.mask, self.rates.fusion, trace=trace)
        u, v = (field[-1] for field in history) if trace else history
        moments = self._moments(z, v, clips.mask, curve.clip_length, top_k)
        log_odds = self._log_odds(z, v)
        return Reading(
            spans=moments.seconds(curve.clip_length, curve.duration),
            scores=np.clip(moments.raw_scores, 0.0, 1.0),
            raw_scores=moments.raw_scores,
            saliency=np.where(clips.mask, _logistic(log_odds), 0.0),
            saliency_raw=log_odds,
            presence=self._presence(clips, background),
            u=u,
            v=v,
            trace=history if trace else None,
        )

    def reaction(self, similarity: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Compute the reaction rate r of every clip in every channel; `read` uses the same r.

        Args:
            similarity: (L,) cosine of each clip and the query.
            mask: (L,) False at clips to ignore; None: all clips are real.

        Returns:
            (C, L).
        """
        clips = _Clips.of(similarity, None, mask)
        return reaction_rates(
            standardise(clips.similarity, clips.mask), clips.mask, self.rates.fusion
        )

    def presence(self, similarity: np.ndarray, background: Background | None = None) -> float:
        """Compute the probability that the query is shown anywhere, as `read` does.

        Args:
            similarity: (L,) cosine of each clip and the query.
            background: how strongly unrelated sentences match the video; None: not known.

        Returns:
            A number in [0, 1].
        """
        clips = _Clips.of(similarity, None, None)
        return self._presence(clips, background)

    def _moments(
        self, z: np.ndarray, v: np.ndarray, mask: np.ndarray, clip_length: float, top_k: int
    ) -> _Moments:
        rates, mask = self.rates.ranking, mask[None]
        found = level_sets(v[None], mask, rates.levels)
        seen = curves(z, v)[None]
        raw = predicted_iou(describe(seen, mask, found, clip_length, rates.dark_curves), rates)
        spans = np.stack([found.left, found.right], axis=1)
        penalty = Penalty(rates.redundancy)
        _, kept, left = suppress(found.row, spans, raw, rates.overlap, top_k, penalty)
        return _Moments(spans[kept], left)

    def _log_odds(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        rates = self.rates.saliency
        log_odds: np.ndarray = np.asarray(rates.curves) @ curves(z, v) + rates.offset
        return log_odds

    def _presence(self, clips: _Clips, background: Background | None) -> float:
        if not clips.mask.any():
            return 0.0
        held_together = coherence_of_best(clips.similarity, clips.mask)
        if background is None:
            return _chance(self.rates.presence, [held_together])
        reached = strongest(clips.similarity[clips.mask])
        excess = background.excess(float(reached))
        return _chance(self.rates.presence_over_background, [held_together, excess])


@dataclass(frozen=True)
class _Clips:
    """Checked input: similarity (L,) finite, change (L - 1,) or None, mask (L,)."""

    similarity: np.ndarray
    change: np.ndarray | None
    mask: np.ndarray

    @classmethod
    def of(
        cls, similarity: np.ndarray, change: np.ndarray | None, mask: np.ndarray | None
    ) -> _Clips:
        s = np.asarray(similarity, dtype=np.float64)
        if s.ndim != 1:
            raise RdmfError(
                f"similarity has shape {s.shape}", todo="give one number per clip, (L,)"
            )
        real = np.isfinite(s)
        if mask is not None:
            real &= _of_length(mask, len(s), "mask").astype(bool)
        if change is not None:
            change = _of_length(change, max(len(s) - 1, 0), "change").astype(np.float64)
            change = np.where(np.isfinite(change), change, 0.0)
        return cls(np.where(real, s, 0.0), change, real)


def _of_length(x: np.ndarray, length: int, name: str) -> np.ndarray:
    x = np.asarray(x)
    if x.shape != (length,):
        raise RdmfError(f"{name} has shape {x.shape}", todo=f"give an array of shape ({length},)")
    return x


@dataclass(frozen=True)
class _Moments:
    """Spans (K, 2) in clips and fractions of a clip, with their scores, best first."""

    spans: np.ndarray
    raw_scores: np.ndarray

    def seconds(self, clip_length: float, duration: float | None) -> np.ndarray:
        spans = self.spans * clip_length
        return spans if duration is None else np.minimum(spans, duration)


def _chance(rates: PresenceRates, evidence: list[float]) -> float:
    return float(_logistic(np.asarray(np.dot(rates.evidence, evidence) + rates.offset)))


def _logistic(log_odds: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds)))
