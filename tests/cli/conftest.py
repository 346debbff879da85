"""The command line in the test's process (`run`), or in its own process (`run_in_shell`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cli_shell
import pytest
from cli_shell import Done, write_video
from PIL import Image

from rdmf_cli.features.pictures import frame_at

Run = Callable[..., Done]


@pytest.fixture
def run() -> Run:
    return cli_shell.run_here


@pytest.fixture
def run_in_shell() -> Run:
    return cli_shell.run_in_shell


@pytest.fixture
def cat(tmp_path: Path, tour: Path) -> Path:
    """A picture of the cat in the example video."""
    path = tmp_path / "a cat.png"
    Image.fromarray(frame_at(tour, 25.0)).save(path)
    return path


@pytest.fixture(scope="session")
def _cache_of_tour(tmp_path_factory: pytest.TempPathFactory, tour: Path) -> Path:
    folder = tmp_path_factory.mktemp("cache-of-tour")
    assert cli_shell.run_here("extract", tour, RDMF_CACHE_DIR=str(folder)).returncode == 0
    return folder


@pytest.fixture
def cached_tour(tour: Path, own_cache: Path, _cache_of_tour: Path) -> Path:
    """The example video; its features are already in the test's cache."""
    shutil.copytree(_cache_of_tour, own_cache, dirs_exist_ok=True)
    return tour


@pytest.fixture(scope="session")
def short_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "square.mp4")


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported head with random weights."""
    import torch

    from rdmf_cli.heads.learned.config import ModelConfig
    from rdmf_cli.heads.learned.torch.export import export
    from rdmf_cli.heads.learned.torch.network import Network

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("head")
    return export(Network(ModelConfig()), folder / "head.rdmf")


@pytest.fixture
def video(short_video: Path, tmp_path: Path) -> Path:
    """A copy of a video that a test may change."""
    return Path(shutil.copy(short_video, tmp_path / "square.mp4"))
