"""What all tests share: folders of their own, and the example video."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from rdmf_cli.resources import example_video

# How long an example takes says more about the machine than about the code.
settings.register_profile("rdmf", deadline=None)
settings.load_profile("rdmf")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or fills the user's cache, or what the user has fetched."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RDMF_CACHE_DIR", str(folder))
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    # Where other programs keep models: with CLIP at hand, "auto" would answer with it.
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    return folder


@pytest.fixture(scope="session")
def tour() -> Path:
    return example_video()
