"""`Fused`: the reaction-diffusion pattern of one query on one video, for a closer look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rdmf_cli.api.arguments import FilePath
from rdmf_cli.api.records import Answer
from rdmf_cli.features import VideoFeatures
from rdmf_cli.fusion import Fields, analyze
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.moments.reading import Reading
from rdmf_cli.outputs.payloads.fusion import Channel, Fusion, LevelSet

if TYPE_CHECKING:
    from rdmf_cli.fusion.stability import Regime

SHARES = (0.75, 0.5, 0.25)  # heights of the level sets, as shares of the highest v of the channel


@dataclass(frozen=True)
class Fused:
    """Hold the fusion of one video and one query: its inputs and its result.

    Attributes:
        features: The video's features, L clips.
        similarity: (L,) cosine of the feature of each clip and the query.
        change: (L − 1,) visual change between neighbouring clips.
        r: (C, L) the reaction rates that the query produced.
        trace: u and v over pseudo-time, (steps + 1, C, L) each.
        reading: The pattern u, v (C, L) and the moments that the head read from the pattern.
        answer: The answer, as `Searcher.ask` gives it.
        head: The training-free head that ran this fusion.
    """

    features: VideoFeatures
    similarity: np.ndarray
    change: np.ndarray
    r: np.ndarray
    trace: Fields
    reading: Reading
    answer: Answer
    head: TrainingFree

    def level_set(self, channel: int, height: float) -> list[tuple[float, float]]:
        """List the spans, in seconds, in which v of a channel is at least `height`."""
        above = np.diff(self.reading.v[channel] >= height, prepend=False, append=False)
        edges = self.features.offset + np.flatnonzero(above) * self.features.clip_length
        return [(float(a), float(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]

    def regimes(self) -> list[Regime]:
        """Return the regime of each channel at the largest reaction rate of the query."""
        fusion = self.head.rates.fusion
        return analyze(
            fusion.rates,
            r=self.r.max(axis=1),
            clip_seconds=self.features.clip_length,
            length=len(self.similarity),
            dilations=fusion.dilations,
        ).rows()

    def record(self) -> Fusion:
        """Put the similarity, and the rates, pattern and regime of every channel, into a record."""
        return Fusion(
            video=self.answer.video,
            query=self.answer.query,
            clip_length=self.features.clip_length,
            offset=self.features.offset,
            similarity=tuple(self.similarity.tolist()),
            channels=tuple(self._channel(regime) for regime in self.regimes()),
            warnings=self.answer.warnings,
        )

    def _channel(self, regime: Regime) -> Channel:
        number = regime.channel
        return Channel.model_validate(
            {
                "channel": number,
                "D_u": regime.D_u,
                "D_v": regime.D_v,
                "F": regime.F,
                "k": regime.k,
                "dt": regime.dt,
                "r*": _finite(regime.r_star),
                "spacing": _finite(regime.spacing_seconds),
                "regime": regime.regime,
                "r": self.r[number].tolist(),
                "u": self.reading.u[number].tolist(),
                "v": self.reading.v[number].tolist(),
                "level_sets": self._level_sets(number),
            }
        )

    def _level_sets(self, channel: int) -> list[LevelSet]:
        top = float(self.reading.v[channel].max())
        heights = [share * top for share in SHARES] if top else []
        return [LevelSet(height=h, spans=tuple(self.level_set(channel, h))) for h in heights]

    def plot(self, path: FilePath, *, title: str = "", force: bool = False) -> None:
        """Draw how the query became moments, channel by channel.

        Args:
            path: The file of the figure; its suffix selects the format: .png, .svg, .pdf.
            title: The text above the figure.
            force: Replace a file that rdmf did not write.

        Raises:
            MissingExtra: matplotlib is not installed.
            RdmfError: The format is unknown, or the file cannot be written.
        """
        from rdmf_cli.outputs.figure import DrawnPattern, save_pattern_figure

        regimes = self.regimes()
        pattern = DrawnPattern(
            similarity=self.similarity,
            change=self.change,
            r=self.r,
            r_star=np.array([regime.r_star for regime in regimes]),
            u_trace=self.trace.u,
            v_trace=self.trace.v,
            moments=self.answer.moments,
            clip_length=self.features.clip_length,
            offset=self.features.offset,
            names=[f"channel {regime.channel}: {regime.regime}" for regime in regimes],
            title=title,
        )
        save_pattern_figure(path, pattern, force=force)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
