"""Holding out part of the annotations, so that no video stands on both sides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from rdmf_cli.datasets.annotations import Annotation

YOUTUBE_PART = re.compile(r"([\w-]{11})_\d+(\.\d+)?_\d+(\.\d+)?")  # QVHighlights: id, start, end


def hold_out(
    annotations: Iterable[Annotation], share: float = 0.1, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Indices to train on and indices held out: about `share` of the videos, one at least.

    Windows of one YouTube video count as one video. Which are held out depends on their names
    and the seed, not on the annotations' order. A single video is trained on.
    """
    groups = [video_of(annotation.vid) for annotation in annotations]
    drawn = sorted(set(groups), key=lambda group: _draw(group, seed))
    count = min(max(round(share * len(drawn)), 1), len(drawn) - 1) if share > 0 else 0
    held = set(drawn[:count])
    train = [i for i, group in enumerate(groups) if group not in held]
    return train, [i for i, group in enumerate(groups) if group in held]


def video_of(vid: str) -> str:
    """The video that a vid is of.

    >>> video_of("NUsG9BgSes0_210.0_360.0"), video_of("AO8RW")
    ('NUsG9BgSes0', 'AO8RW')
    """
    part = YOUTUBE_PART.fullmatch(vid)
    return part[1] if part else vid


def _draw(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {group}".encode("utf-8", "surrogatepass")).digest()
