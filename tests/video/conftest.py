"""The ffmpeg program for the tests that need it."""

from __future__ import annotations

import imageio_ffmpeg
import pytest


@pytest.fixture
def ffmpeg_program(monkeypatch: pytest.MonkeyPatch) -> str:
    """The program of a test dependency; the installation in the README needs no such program."""
    path = imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setenv("RDMF_FFMPEG", path)
    return path
