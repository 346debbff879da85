"""Barcoded videos, made once a session, and an ffmpeg program for the tests that need one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest
from barcoded import Recipe


@pytest.fixture
def ffmpeg_program(monkeypatch: pytest.MonkeyPatch) -> str:
    """The program that a test dependency brings; the README's installation needs none."""
    path = imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setenv("RDMF_FFMPEG", path)
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], Path]:
    """Recipe → its video file, which tests share and must not change."""
    folder, files = tmp_path_factory.mktemp("barcoded"), {}

    def make(recipe: Recipe) -> Path:
        if recipe.name not in files:
            files[recipe.name] = recipe.make(folder)
        return files[recipe.name]

    return make
