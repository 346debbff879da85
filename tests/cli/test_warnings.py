"""No deprecation warning reaches a user: commands run where Python makes every warning an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cli_shell import command, environment

CAT = "the face of a cat"


def strictly(*args: object) -> subprocess.CompletedProcess[str]:
    python, *rest = command(*args)
    result = subprocess.run(
        [python, "-W", "error", *rest],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    return result


@pytest.mark.parametrize(
    "args",
    [
        ("query", "--example", CAT),
        ("query", "--example", CAT, "--head", "training-free", "--json"),
        ("extract", "VIDEO", "--out", "features"),
        ("fuse", "VIDEO", CAT),
        ("cache", "list"),
        ("weights", "list"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_a_command_warns_of_nothing(args, tour, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strictly(*(tour if word == "VIDEO" else word for word in args))


def test_a_trained_head_is_loaded_without_a_warning(tour, tmp_path: Path):
    from rdmf_cli.heads.learned.config import ModelConfig
    from rdmf_cli.heads.learned.torch.checkpoint import save
    from rdmf_cli.heads.learned.torch.network import Network

    save(tmp_path / "model", Network(ModelConfig()))
    strictly("query", tour, CAT, "--encoder", "embedded", "--checkpoint", tmp_path / "model")


def test_a_figure_is_drawn_without_a_warning(tour, tmp_path: Path):
    import matplotlib  # noqa: F401  (the test needs it)

    strictly("fuse", tour, CAT, "--plot", tmp_path / "pattern.png")
