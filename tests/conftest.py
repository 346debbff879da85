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
    return folder


@pytest.fixture(scope="session")
def tour() -> Path:
    return example_video()
