"""Split annotations into a training part and a held-out part; no video is in both parts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from rdmf_cli.datasets.annotations import Annotation

YOUTUBE_PART = re.compile(r"([\w-]{11})_\d+(\.\d+)?_\d+(\.\d+)?")  # of QVHighlights: id_start_end


def hold_out(
    annotations: Iterable[Annotation], share: float = 0.1, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Choose the videos to hold out.

    The choice depends on the videos' names and the seed, not on the order of the annotations. All
    pieces of one YouTube video (QVHighlights) are in the same part. A single video is for training.

    Args:
        annotations: The annotations.
        share: Share of the videos to hold out; if above 0, at least one video is held out.
        seed: Random seed.

    Returns:
        Indices of the annotations for training, and indices of the held-out annotations.
    """
    groups = [video_of(annotation.vid) for annotation in annotations]
    drawn = sorted(set(groups), key=lambda group: _draw(group, seed))
    count = min(max(round(share * len(drawn)), 1), len(drawn) - 1) if share > 0 else 0
    held = set(drawn[:count])
    train = [i for i, group in enumerate(groups) if group not in held]
    return train, [i for i, group in enumerate(groups) if group in held]


def video_of(vid: str) -> str:
    """Return the YouTube video that contains the video of a vid, or the vid itself.

    >>> video_of("NUsG9BgSes0_210.0_360.0"), video_of("AO8RW")
    ('NUsG9BgSes0', 'AO8RW')
    """
    part = YOUTUBE_PART.fullmatch(vid)
    return part[1] if part else vid


def _draw(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {group}".encode("utf-8", "surrogatepass")).digest()
