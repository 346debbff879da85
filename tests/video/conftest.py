"""An ffmpeg program for the tests that need one."""

from __future__ import annotations

import imageio_ffmpeg
import pytest


@pytest.fixture
def ffmpeg_program(monkeypatch: pytest.MonkeyPatch) -> str:
    """The program that a test dependency brings; the README's installation needs none."""
    path = imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setenv("RDMF_FFMPEG", path)
    return path
