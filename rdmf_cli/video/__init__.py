"""Video files: their properties, their division into clips, and one frame per clip.

>>> from rdmf_cli.video import open_clips, probe
>>> probe("talk.mp4").duration                                    # doctest: +SKIP
>>> with open_clips("talk.mp4", clip_length=2) as reader:         # doctest: +SKIP
...     images = [frame.image for clip, frame in reader]

Names are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.video.clips import ClipReader, Failures, Frame, open_clips
    from rdmf_cli.video.folder import VIDEO_SUFFIXES, find_videos
    from rdmf_cli.video.info import VideoInfo, probe
    from rdmf_cli.video.timeline import ClipGrid, Timestamp

_HOMES = {
    "ClipGrid": "timeline",
    "ClipReader": "clips",
    "Failures": "clips",
    "Frame": "clips",
    "Timestamp": "timeline",
    "VIDEO_SUFFIXES": "folder",
    "VideoInfo": "info",
    "find_videos": "folder",
    "open_clips": "clips",
    "probe": "info",
}

__all__ = [
    "VIDEO_SUFFIXES",
    "ClipGrid",
    "ClipReader",
    "Failures",
    "Frame",
    "Timestamp",
    "VideoInfo",
    "find_videos",
    "open_clips",
    "probe",
]

_PATHS = {name: f"{__name__}.{module}" for name, module in _HOMES.items()}
__getattr__ = lazily(__name__, _PATHS)
__dir__ = listed(__name__, _PATHS)
