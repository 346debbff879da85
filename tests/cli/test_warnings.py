"""No deprecation warning reaches a user: commands run where Python makes every warning an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cli_shell
import pytest
from cli_shell import environment

CAT = "the face of a cat"
COMMANDS = (
    ("query", "--example", CAT),
    ("query", "--example", CAT, "--head", "training-free", "--json"),
    ("extract", "VIDEO", "--out", "features"),
    ("fuse", "VIDEO", CAT),
    ("cache", "list"),
    ("weights", "list"),
    ("doctor",),
)
ONE_AFTER_ANOTHER = f"""
import json, sys
sys.path.insert(0, {str(Path(cli_shell.__file__).parent)!r})
from cli_shell import run_here
for args in json.load(sys.stdin):
    done = run_here(*args)
    print(json.dumps([done.returncode, done.stderr]))
"""


def strictly(*commands: tuple[object, ...], **env: str) -> list[tuple[int, str]]:
    """The exit code and stderr of each command, run one after another in a strict Python."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", ONE_AFTER_ANOTHER],
        input=json.dumps(commands, default=str),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(**env),
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    return [(code, said) for code, said in map(json.loads, result.stdout.splitlines())]


@pytest.fixture(scope="module")
def happened(tour, tmp_path_factory) -> dict[tuple[str, ...], tuple[int, str]]:
    folder = tmp_path_factory.mktemp("strict")
    places = {"VIDEO": tour, "features": folder / "features"}
    own = ("RDMF_CACHE_DIR", "RDMF_CONFIG_DIR", "RDMF_DATA_DIR", "HF_HUB_CACHE", "HOME")
    env = {name: str(folder / name) for name in own}  # `own_cache` is not set yet
    asked = [tuple(places.get(word, word) for word in args) for args in COMMANDS]
    told = strictly(*asked, **env)
    return dict(zip(COMMANDS, told, strict=True))


@pytest.mark.parametrize("args", COMMANDS, ids=" ".join)
def test_a_command_warns_of_nothing(happened, args):
    code, said = happened[args]
    assert code == 0, said
    assert "Warning" not in said


def alone(*args: object) -> None:
    ((code, said),) = strictly(args)
    assert code == 0, said
    assert "Warning" not in said


def test_a_trained_head_is_loaded_without_a_warning(tour, tmp_path: Path):
    from rdmf_cli.heads.learned.config import ModelConfig
    from rdmf_cli.heads.learned.torch.checkpoint import save
    from rdmf_cli.heads.learned.torch.network import Network

    save(tmp_path / "model", Network(ModelConfig()))
    alone("query", tour, CAT, "--encoder", "embedded", "--checkpoint", tmp_path / "model")


def test_a_figure_is_drawn_without_a_warning(tour, tmp_path: Path):
    import matplotlib  # noqa: F401  (the test needs it)

    alone("fuse", tour, CAT, "--plot", tmp_path / "pattern.png")
