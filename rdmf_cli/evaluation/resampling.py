"""Intervals and p-values of paired differences, by resampling videos.

The queries of one video are not independent of each other. So a resample draws or exchanges a video
with all its queries. Davison and Hinkley, "Bootstrap Methods and their Application", 1997;
Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69, 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

Draw = Callable[[np.random.Generator, int, int], "Array"]

MOST_NUMBERS = 4_000_000  # random numbers in memory at the same time
EQUAL = 1e-9  # two sums that add in different orders may differ by this share


@dataclass(frozen=True)
class PairedDifferences:
    """Hold the differences of Q queries in M metrics between two sets of predictions.

    Attributes:
        values: (Q, M); NaN if the query does not count in the metric.
        videos: (Q,) the name of each query's video.
        resamples: Number of resamples.
        seed: Random seed.
    """

    values: Array
    videos: Sequence[str]
    resamples: int = 10_000
    seed: int = 0

    @cached_property
    def _video(self) -> npt.NDArray[np.intp]:
        """The number of each query's video, (Q,)."""
        number: npt.NDArray[np.intp] = np.unique(list(self.videos), return_inverse=True)[1]
        return number.reshape(-1)

    @cached_property
    def sums(self) -> Array:
        """The sum of the differences of each video's queries, (V, M)."""
        return self._per_video(np.nan_to_num(self.values))

    @cached_property
    def counts(self) -> Array:
        """The number of counted queries of each video, (V, M)."""
        return self._per_video(np.isfinite(self.values).astype(np.float64))

    def _per_video(self, values: Array) -> Array:
        total = np.zeros((int(self._video.max()) + 1, values.shape[1]))
        np.add.at(total, self._video, values)
        return total

    @property
    def means(self) -> Array:
        """The mean difference over queries, (M,)."""
        mean: Array = self.sums.sum(axis=0) / self.counts.sum(axis=0)
        return mean

    def intervals(self, confidence: float = 0.95) -> Array:
        """Compute bootstrap intervals of the means, (M, 2).

        The intervals are percentile intervals. For few videos the intervals are widened, because
        the t distribution is wider than the normal distribution (Hesterberg 2015, "expanded
        percentile interval").
        """
        means = np.concatenate(
            [
                _ratio(drawn @ self.sums, drawn @ self.counts)
                for drawn in self._draws(self._with_replacement)
            ]
        )
        tails = [_tail(confidence, int(videos)) for videos in (self.counts > 0).sum(axis=0)]
        columns = zip(means.T, tails, strict=True)
        ends = [np.nanquantile(column, [tail, 1 - tail]) for column, tail in columns]
        return np.asarray(ends, dtype=np.float64)

    def p_values(self) -> Array:
        """Compute two-sided p-values of a permutation test, (M,).

        If the two sets of predictions are equally good, the sign of each video's difference is
        random. The data themselves count as one of the permutations (Phipson and Smyth 2010), so no
        p-value is 0.
        """
        observed = np.abs(self.sums.sum(axis=0)) * (1 - EQUAL) - EQUAL
        extreme = sum(
            (np.abs(signs @ self.sums) >= observed).sum(axis=0)
            for signs in self._draws(self._signs)
        )
        return np.asarray((1 + extreme) / (1 + self.resamples), dtype=np.float64)

    def _draws(self, draw: Draw) -> Iterator[Array]:
        """Yield weights (B, V) of the videos, for a part of the resamples at a time."""
        random, videos = np.random.default_rng(self.seed), len(self.sums)
        together = max(MOST_NUMBERS // videos, 1)
        for start in range(0, self.resamples, together):
            yield draw(random, min(together, self.resamples - start), videos)

    @staticmethod
    def _with_replacement(random: np.random.Generator, resamples: int, videos: int) -> Array:
        drawn = random.integers(0, videos, (resamples, videos), dtype=np.int32)
        places = drawn + np.arange(resamples)[:, None] * videos
        times = np.bincount(places.ravel(), minlength=resamples * videos)
        return times.reshape(resamples, videos).astype(np.float64)

    @staticmethod
    def _signs(random: np.random.Generator, resamples: int, videos: int) -> Array:
        return random.integers(0, 2, (resamples, videos), dtype=np.int8).astype(np.float64) * 2 - 1


def _ratio(sums: Array, counts: Array) -> Array:
    """Return the mean of each resample; NaN if the resample holds no query of the metric."""
    means: Array = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _tail(confidence: float, videos: int) -> float:
    """Return the share of resamples beyond each end of the interval.

    With n videos, the percentile interval is too narrow by two factors: sqrt((n - 1) / n), and
    z / t, where z and t are quantiles of the normal distribution and of Student's t distribution
    with n - 1 degrees of freedom. The share makes up for both. The quantile t comes from the
    expansion of Cornish and Fisher, which is exact to three digits for 5 videos or more.
    """
    normal = NormalDist()
    z = normal.inv_cdf((1 + confidence) / 2)
    free = max(videos - 1, 1)
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    return normal.cdf(-t * ((free + 1) / free) ** 0.5)
