"""Answers and fields for the tests of outputs, computed by formulas: equal on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from rdmf_cli.moments.types import Answer, Features, Moment

BUMPS = (
    (0.2, 0.06, 0.95),
    (0.55, 0.03, 0.7),
    (0.85, 0.01, 0.6),
    (0.35, 0.004, 0.5),
    (0.58, 0.1, 0.45),
)
# centre and half width (shares of the video), height; best first


def sample_answer(clips: int = 45, offset: float = 0.0, **fields: Any) -> Answer:
    """Five peaks on a wavy curve; clips of 2 s."""
    middle = (np.arange(clips) + 0.5) / clips
    saliency = 0.15 + 0.03 * np.sin(40 * middle)
    for centre, width, height in BUMPS:
        bump = height * np.exp(-0.5 * ((middle - centre) / (width / 2)) ** 2)
        saliency = np.maximum(saliency, bump)
    facts: dict[str, Any] = {
        "video": "videos/tour.mp4",
        "query": "a man in a red jacket opens the door",
        "offset": offset,
        "duration": offset + clips * 2.0,
        "clip_length": 2.0,
        "head": "training-free",
        "presence": 0.8312345678,
        "moments": [sample_moment(rank, clips, offset) for rank in range(1, 6)],
        "saliency": saliency.tolist(),
        "saliency_raw": (7 * saliency - 2).tolist(),
        "features": sample_features(clips),
        "timings": {"read": 0.01234567, "fuse": 0.2},
    }
    return Answer(**(facts | fields))


def sample_moment(rank: int, clips: int, offset: float = 0.0) -> Moment:
    centre, width, height = BUMPS[rank - 1]
    start = max(0, round((centre - width) * clips)) * 2.0
    end = max(start + 2.0, round((centre + width) * clips) * 2.0)
    times = {"start": offset + start, "end": offset + end}
    return Moment(rank=rank, score=height, raw_score=3.1 * height, **times)


def sample_features(clips: int) -> Features:
    return Features(
        encoder="embedded",
        decoder="pyav",
        clips=clips,
        cached=True,
        frames_decoded=0,
        frames_failed=0,
    )


def empty_answer(clips: int = 45) -> Answer:
    """An answer without moments."""
    saliency = [0.1] * clips
    return sample_answer(clips, moments=[], presence=0.12, saliency=saliency)


def sample_field(clips: int = 45, steps: int = 30) -> np.ndarray:
    """Return (steps + 1, clips): two peaks that become sharper with pseudo-time."""
    middle = (np.arange(clips) + 0.5) / clips
    growth = np.linspace(0.2, 1, steps + 1)[:, None]
    bumps = (np.exp(-0.5 * ((middle - c) / (0.12 - 0.08 * growth)) ** 2) for c in (0.25, 0.7))
    return growth * sum(bumps)
