"""Find the words of a command line that name a video."""

from __future__ import annotations

import re
from pathlib import Path

STDIN = "-"
"""Typed in place of a video: the video comes on stdin."""


def is_address(word: str) -> bool:
    """Return whether a word is an address, such as "https://..."; a sentence is not an address."""
    return re.match(r"[a-z][a-z0-9+.-]*://\S*$", word, re.IGNORECASE) is not None


def is_video(word: str) -> bool:
    """Return whether a word names a video or a folder, or looks like a video or an address."""
    from rdmf_cli.video import VIDEO_SUFFIXES

    if not word.strip():
        return False  # an empty query; as a path it would be the working directory
    try:
        if Path(word).exists():
            return True
    except (OSError, ValueError):  # too long for a file name, so the word is a sentence
        return False
    named = len(word) < 1000 and Path(word).suffix.lower() in VIDEO_SUFFIXES
    return named or is_address(word)
