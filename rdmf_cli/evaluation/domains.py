"""TVSum and YouTube Highlights: highlight AP of each video, averaged by domain.

Song, Vallmitjana, Stent, Jaimes, "TVSum", CVPR 2015, and Sun, Farhadi, Seitz, "Ranking
Domain-Specific Highlights", ECCV 2014, as UMT (Liu et al., CVPR 2022) and the DETR family score
them. Results are percentages, not rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.retrieval import percent

TVSUM_TOP = 5

VideoAP = Callable[[Array, Array], float]


def trapezoid_ap(labels: npt.NDArray[Any]) -> float:
    """Area under precision over recall by trapezoids, from recall 0, precision 1.

    labels: (N,) 1 or 0, in the order of the ranking. 0 without positives.
    """
    if not labels.any():
        return 0.0
    hits = np.cumsum(labels)
    recall = np.concatenate([[0.0], hits / hits[-1]])
    precision = np.concatenate([[1.0], hits / np.arange(1, len(labels) + 1)])
    return float(np.sum(np.diff(recall) * (precision[:-1] + precision[1:]) / 2))


def ranking(saliency: Array, clips: int) -> npt.NDArray[np.intp]:
    """(clips,): clip numbers by descending saliency, equals in order.

    Scores beyond the clips are cut; clips without a score come last.
    """
    scores = np.full(clips, -np.inf)
    scores[: min(clips, len(saliency))] = saliency[:clips]
    return np.argsort(-scores, kind="stable")


def tvsum_ap(saliency: Array, labels: Array) -> float:
    """Mean over annotators of the AP of the five clips ranked first.

    labels: (T, A). A clip is positive to an annotator who marks it above their own lower median.
    Positives are counted among the five.
    """
    medians = np.sort(labels, axis=0)[(len(labels) - 1) // 2]
    ranked = (labels > medians)[ranking(saliency, len(labels))][:TVSUM_TOP]
    return float(np.mean([trapezoid_ap(column) for column in ranked.T]))


def youtube_ap(saliency: Array, labels: Array) -> float:
    """AP over all clips; labels: (T, 1), a highlight where above 0."""
    return trapezoid_ap((labels[:, 0] > 0)[ranking(saliency, len(labels))])


def domain_metrics(
    saliency: Sequence[Array], labels: Sequence[Array], domains: Sequence[str], ap: VideoAP
) -> dict[str, Any]:
    """{"HL-mAP": mean over domains, "domains": {name: {"HL-mAP", "videos"}}}.

    saliency: (T,) of each video; labels: (T, A) of each; ap: `tvsum_ap` or `youtube_ap`.
    """
    of_video = np.array([ap(s, marks) for s, marks in zip(saliency, labels, strict=True)])
    members = {name: np.array([d == name for d in domains]) for name in sorted(set(domains))}
    of_domain = {
        name: {"HL-mAP": percent(of_video[inside]), "videos": int(inside.sum())}
        for name, inside in members.items()
    }
    mean = float(np.mean([entry["HL-mAP"] for entry in of_domain.values()]))
    return {"HL-mAP": mean, "domains": of_domain}


def brief(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Each domain's mAP and their mean."""
    by_domain = {f"HL-mAP-{name}": m["HL-mAP"] for name, m in metrics["domains"].items()}
    return {**by_domain, "HL-mAP": metrics["HL-mAP"]}
