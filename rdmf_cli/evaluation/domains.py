"""TVSum and YouTube Highlights: highlight AP of each video, averaged by domain.

Song, Vallmitjana, Stent, Jaimes, "TVSum", CVPR 2015, and Sun, Farhadi, Seitz, "Ranking
Domain-Specific Highlights", ECCV 2014. The scores are computed as UMT (Liu et al., CVPR 2022) and
the DETR family compute them. Results are percentages, not rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.tie_orders import extremes, trapezoid_ap

TVSUM_TOP = 5
SAME = 1e-9  # per cent; two sums that add in different orders may differ by this


class VideoAP(NamedTuple):
    """Hold the AP of one video in [0, 1], and its range over orders of clips with equal saliency.

    Attributes:
        in_list_order: The AP if clips with equal saliency stay in the order of the list.
        least: The lowest AP of all orders of these clips.
        greatest: The highest AP of all orders of these clips.
    """

    in_list_order: float
    least: float
    greatest: float


ScoreVideo = Callable[[Array, Array], VideoAP]


def ranking(saliency: Array, clips: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rank the clips by descending saliency.

    Scores beyond the last clip are cut. Clips without a score come last; they tie with each other.

    Returns:
        (clips,) the clip numbers, with tied clips in list order, and (clips,) the first rank of the
        tie of each rank.
    """
    scores = np.full(clips, -np.inf)
    scores[: min(clips, len(saliency))] = saliency[:clips]
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    new = np.concatenate([[True], ranked[1:] != ranked[:-1]])[:clips]
    return order, np.maximum.accumulate(np.where(new, np.arange(clips), 0))


def tvsum_ap(saliency: Array, labels: Array) -> VideoAP:
    """Compute the AP of the five clips ranked first, averaged over annotators.

    labels: (T, A). A clip is positive for an annotator if its rating is above the lower median of
    this annotator's ratings. Only the positives among the five clips are counted.
    """
    medians = np.sort(labels, axis=0)[(len(labels) - 1) // 2]
    positive = labels > medians
    order, ties = ranking(saliency, len(labels))
    top = positive[order[:TVSUM_TOP]]
    first = float(np.mean([trapezoid_ap(column) for column in top.T]))
    slots = [np.flatnonzero(ties == group) for group in ties[:TVSUM_TOP]]
    candidates = [positive[order[ranks]] for ranks in slots]
    if all((rows == rows[0]).all() for rows in candidates):
        return VideoAP(first, first, first)
    return VideoAP(first, *extremes(candidates, ties[:TVSUM_TOP]))


def youtube_ap(saliency: Array, labels: Array) -> VideoAP:
    """Compute the AP over all clips of a video.

    Clips of equal score may have any order. The AP is highest if all highlights come first among
    these clips, and lowest if all highlights come last.

    Args:
        saliency: (T,) predicted scores.
        labels: (T, 1) a clip is a highlight if its label is above 0.
    """
    order, ties = ranking(saliency, len(labels))
    positive = (labels[:, 0] > 0)[order]
    best, worst = np.lexsort((~positive, ties)), np.lexsort((positive, ties))
    ranked = (positive, positive[worst], positive[best])
    return VideoAP(*(trapezoid_ap(row) for row in ranked))


AP: dict[str, ScoreVideo] = {"tvsum": tvsum_ap, "youtube-highlights": youtube_ap}
"""The function that scores a video, by the name of the protocol."""


def domain_metrics(
    saliency: Sequence[Array], labels: Sequence[Array], domains: Sequence[str], ap: ScoreVideo
) -> dict[str, Any]:
    """Score every video, and average by domain.

    Args:
        saliency: (T,) of each video.
        labels: (T, A) of each video.
        domains: name of the domain of each video.
        ap: `tvsum_ap` or `youtube_ap`.

    Returns:
        {"HL-mAP": mean over domains, "domains": {name: {"HL-mAP", "videos"}}}. If the order of tied
        clips changes an HL-mAP, "HL-mAP-ties": {"least", "greatest"} stands beside it.
    """
    of_video = np.array([ap(s, ratings) for s, ratings in zip(saliency, labels, strict=True)])
    members = {name: np.array([d == name for d in domains]) for name in sorted(set(domains))}
    of_domain = {name: 100 * of_video[inside].mean(axis=0) for name, inside in members.items()}
    entries = {
        name: {**_scores(of_domain[name]), "videos": int(inside.sum())}
        for name, inside in members.items()
    }
    return {**_scores(np.mean([*of_domain.values()], axis=0)), "domains": entries}


def _scores(percentages: Array) -> dict[str, Any]:
    score, least, greatest = map(float, percentages)
    ties = (
        {"HL-mAP-ties": {"least": least, "greatest": greatest}} if greatest - least > SAME else {}
    )
    return {"HL-mAP": score, **ties}


def brief(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Return each domain's mAP and their mean, in per cent."""
    by_domain = {f"HL-mAP-{name}": m["HL-mAP"] for name, m in metrics["domains"].items()}
    return {**by_domain, "HL-mAP": metrics["HL-mAP"]}


def ties(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return the lowest and the highest score that ties allow, by the names of `brief`."""
    by_domain = {f"HL-mAP-{name}": entry for name, entry in metrics["domains"].items()}
    scored = {**by_domain, "HL-mAP": metrics}
    return {name: m["HL-mAP-ties"] for name, m in scored.items() if "HL-mAP-ties" in m}
