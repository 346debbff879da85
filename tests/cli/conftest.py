"""The command line as a shell sees it: a process, its two streams, its exit code."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_shell import command, environment, write_video

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    def run(*args: object, stdin: str | None = None, cwd: Path | None = None, **env: str):
        result = subprocess.run(
            command(*args),
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment(**env),
            cwd=cwd,
            timeout=120,
        )
        assert "Traceback" not in result.stderr, result.stderr
        assert "Traceback" not in result.stdout, result.stdout
        return result

    return run


@pytest.fixture(scope="session")
def short_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "square.mp4")


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported head, of a network that nobody trained."""
    import torch

    from rdmf_cli.model.config import ModelConfig
    from rdmf_cli.model.export import export
    from rdmf_cli.model.network import Network

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("head")
    return export(Network(ModelConfig()), folder / "head.rdmf")


@pytest.fixture
def video(short_video: Path, tmp_path: Path) -> Path:
    """A copy that the test may spoil."""
    return Path(shutil.copy(short_video, tmp_path / "square.mp4"))
