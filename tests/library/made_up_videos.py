"""Videos of artificial features for searches: noise, with the query planted in some clips."""

from __future__ import annotations

import numpy as np

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.query import QueryFeatures
from rdmf_cli.features import VideoFeatures, normalise_rows
from rdmf_cli.library.opening import OpenVideos

WIDTH = 32
SHOT = 4  # clips per shot; they look similar


def unit(*shape: int, seed: int) -> np.ndarray:
    return normalise_rows(np.random.default_rng(seed).normal(size=(*shape, WIDTH)))


QUERY = QueryFeatures(
    sentence=unit(seed=1_000_000),
    words=np.zeros((0, WIDTH), np.float32),
    background=unit(32, seed=1_000_001),
    scale=Background.of(unit(8, seed=1_000_002) @ unit(32, seed=1_000_001).T),
)


def video(
    clips: int, seed: int, planted: slice = slice(0, 0), strength: float = 2.0, **facts: float
) -> VideoFeatures:
    """Shots of noise; within `planted`, the query is mixed in."""
    shots = np.repeat(unit(clips // SHOT + 1, seed=seed), SHOT, axis=0)[:clips]
    rows = shots + 0.2 * unit(clips, seed=seed + 500_000)
    rows[planted] += strength * QUERY.sentence
    length = {"duration": 2.0 * clips, "offset": 0.0, **facts}
    return VideoFeatures(
        rows=rows.astype(np.float16), clip_length=2.0, encoder="made-up", decoder="none", **length
    )


def collection(*videos: VideoFeatures) -> OpenVideos:
    opened = OpenVideos()
    for number, features in enumerate(videos):
        opened.add(f"video{number:04}.mp4", features)
    return opened
